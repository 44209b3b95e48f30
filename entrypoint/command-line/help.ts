import { defaultText } from '../../agent/config/reference.ts';
import { environmentName, flagName, settingNames, settings } from '../../agent/config/settings.ts';
import { ExitCode, PodError } from '../../agent/errors.ts';
import { didYouMean } from '../../agent/suggestion.ts';
import packageJson from '../../package.json' with { type: 'json' };
import type { Verb, Verbs } from '../verbs/verb.ts';
import { isVerb, loadVerbs, verbs } from '../verbs.ts';
import type { Flag } from './arguments.ts';

const helpless: readonly string[] = ['help', 'version'];

/** `flux-pod help [VERB]`, and `--help` behind a verb. Throws a PodError (exit 64) for a word that is no verb. */
export async function help([name]: readonly string[]): Promise<number> {
  if (name !== undefined && isVerb(name)) {
    process.stdout.write(helpOf(name, await verbs[name]()));
    return 0;
  }
  if (name !== undefined && !helpless.includes(name)) {
    const known = Object.keys(verbs);
    throw new PodError(
      ExitCode.usage,
      `Cannot help with "${name}": expected one of ${known.join(', ')}${didYouMean(name, known)}`,
    );
  }
  process.stdout.write(overview(await loadVerbs()));
  return 0;
}

export async function version(): Promise<number> {
  process.stdout.write(`${packageJson.version}\n`);
  return 0;
}

const overview = (
  rows: Verbs,
): string => `flux-pod ${packageJson.version}: turns the pods of an Indexed Job into one Flux instance

${Object.entries(rows)
  .map(([name, verb]) => formsOf(name, verb))
  .join('')}
In a pod of an Indexed Job only the size must be given: FLUX_POD_SIZE=4 flux-pod run -- COMMAND
\`flux-pod VERB --help\` has examples and explains the flags of VERB; those of \`run\` are the settings.
`;

const formsOf = (name: string, { forms }: Verb): string =>
  Object.entries(forms)
    .map(([form, meaning]) => `  ${`flux-pod ${name} ${form}`.padEnd(43)}${meaning}\n`)
    .join('');

function helpOf(name: string, verb: Verb): string {
  const flags = Object.entries(verb.flags).map(([flag, about]) => flagHelp(flag, about));
  return [
    formsOf(name, verb),
    `Examples:\n${verb.examples.map((line) => `  ${line}\n`).join('')}`,
    ...(verb.more === undefined ? [] : [verb.more]),
    ...(flags.length === 0 ? [] : [flags.join('')]),
    ...(verb.settings ? [settingsHelp(Object.keys(verb.settings))] : []),
  ].join('\n');
}

function flagHelp(name: string, flag: Flag): string {
  return `  ${flagForm(name, flag)}\n      ${flag.meaning.replaceAll('\n', '\n      ')}\n`;
}

/** `-N, --nodes N` */
export const flagForm = (name: string, { short, value }: Flag): string =>
  `${short ? `-${short}, ` : ''}--${name}${value ? ` ${value}` : ''}`;

function settingsHelp(flags: readonly string[]): string {
  const rows = settingNames
    .filter((name) => flags.includes(flagName(name)))
    .map(
      (name) =>
        `  --${flagName(name)}  ${environmentName(name)}\n      ${settings[name].meaning} (default: ${defaultText(name)})\n`,
    );
  return `Settings: a flag, else an environment variable, else /etc/flux-pod/config.toml (--config, FLUX_POD_CONFIG),
else what is detected from the pod, else the default.

${rows.join('')}`.replaceAll('`', '');
}
