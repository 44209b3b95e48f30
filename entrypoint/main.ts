/**
 * flux-pod: the container entrypoint that turns the pods of an Indexed Job into one Flux instance.
 *
 * This file maps a verb to its command, and is the only one that ends the process. verbs.ts says what each is for.
 */
import { ExitCode, PodError } from '../agent/errors.ts';
import { didYouMean } from '../agent/suggestion.ts';
import { outliveReaders, report } from './report.ts';

type Command = (args: readonly string[]) => Promise<number>;

/** A verb's code is loaded when it is needed: what `run` does not use must not cost it time. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./commands/run.ts')).run,
  attach: async () => (await import('./commands/attach.ts')).attach,
  probe: async () => (await import('./commands/probe.ts')).probe,
  status: async () => (await import('./commands/status.ts')).status,
  shell: async () => (await import('./commands/shell.ts')).shell,
  env: async () => (await import('./commands/env.ts')).env,
  release: async () => (await import('./commands/release.ts')).release,
  doctor: async () => (await import('./commands/doctor.ts')).doctor,
  config: async () => (await import('./commands/config.ts')).config,
  keygen: async () => (await import('./commands/keygen.ts')).keygen,
  render: async () => (await import('./commands/render.ts')).render,
  install: async () => (await import('./commands/install.ts')).install,
  submit: async () => (await import('./commands/submit.ts')).submit,
  jobs: async () => (await import('./commands/jobs.ts')).jobs,
  logs: async () => (await import('./commands/logs.ts')).logs,
  cancel: async () => (await import('./commands/cancel.ts')).cancel,
  completion: async () => (await import('./commands/completion.ts')).completion,
  demo: async () => (await import('./commands/demo.ts')).demo,
  help: async () => (await import('./commands/help.ts')).help,
  version: async () => (await import('./commands/help.ts')).version,
};

const runsOnAny: readonly string[] = ['help', 'version'];
const aliases: Readonly<Record<string, string>> = {
  '--help': 'help',
  '-h': 'help',
  '--version': 'version',
  '-V': 'version',
};

async function main([word = 'help', ...args]: readonly string[]): Promise<number> {
  const verb = aliases[word] ?? word;
  const load = Object.hasOwn(commands, verb) ? commands[verb] : undefined;
  if (!load) {
    const verbs = Object.keys(commands);
    throw new PodError(
      ExitCode.usage,
      `Cannot understand "flux-pod ${word}": expected one of ${verbs.join(', ')}${didYouMean(word, verbs)}`,
    );
  }
  const asksForHelp = args.slice(0, endOfFlags(args)).some((arg) => arg === '--help' || arg === '-h');
  if (asksForHelp) return (await import('./commands/help.ts')).help([verb]);
  if (!runsOnAny.includes(verb)) checkNode();
  if (verb !== 'run') outliveReaders();
  return (await load())(args);
}

/** The build's target (package.json). An older one lacks what the program uses, and would say so in its own words. */
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
