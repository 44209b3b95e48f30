/**
 * flux-pod: the container entrypoint that turns the pods of an Indexed Job into one Flux instance.
 *
 * This file maps a word to its command, and is the only one that ends the process. verbs.ts has the verbs.
 */
import { ExitCode, PodError } from '../agent/errors.ts';
import { didYouMean } from '../agent/suggestion.ts';
import { outliveReaders, report } from './command-line/report-error.ts';
import { isVerb, runVerb, verbs } from './verbs.ts';

type Command = (args: readonly string[]) => Promise<number>;

/** Words that are no rows of verbs.ts. They run on any Node.js. */
const others: Readonly<Record<string, Command>> = {
  help: async (args) => (await import('./command-line/help.ts')).help(args),
  version: async () => (await import('./command-line/help.ts')).version(),
};

const aliases: Readonly<Record<string, string>> = {
  '--help': 'help',
  '-h': 'help',
  '--version': 'version',
  '-V': 'version',
};

async function main([word = 'help', ...args]: readonly string[]): Promise<number> {
  const verb = aliases[word] ?? word;
  const command = commandOf(verb);
  if (!command) {
    const known = [...Object.keys(verbs), ...Object.keys(others)];
    throw new PodError(
      ExitCode.usage,
      `Cannot understand "flux-pod ${word}": expected one of ${known.join(', ')}${didYouMean(word, known)}`,
    );
  }
  const asksForHelp = args.slice(0, endOfFlags(args)).some((arg) => arg === '--help' || arg === '-h');
  if (asksForHelp) return (await import('./command-line/help.ts')).help([verb]);
  if (isVerb(verb)) checkNode();
  if (verb !== 'run') outliveReaders();
  return command(args);
}

function commandOf(verb: string): Command | undefined {
  if (isVerb(verb)) return (args) => runVerb(verb, args);
  return Object.hasOwn(others, verb) ? others[verb] : undefined;
}

/** The build's target (package.json). An older one lacks what the program uses, and its own error would be hard to read. */
function checkNode(): void {
  const needed = 24;
  const { node } = process.versions;
  if (Number.parseInt(node, 10) >= needed) return;
  throw new PodError(ExitCode.noFlux, `Cannot run: this Node.js is ${node}, and flux-pod needs ${needed}`, {
    hint: `Put a Node.js ${needed} first on PATH. In a checkout \`npm run demo\` uses the one that came with the packages.`,
  });
}

const endOfFlags = (args: readonly string[]): number =>
  args.includes('--') ? args.indexOf('--') : args.length;

main(process.argv.slice(2))
  .catch(report)
  .then((code) => process.exit(code));
