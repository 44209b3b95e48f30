import { environmentName, flagName, settingNames, settings } from '../../agent/config/settings.ts';
import packageJson from '../../package.json' with { type: 'json' };
import type { Flag } from '../arguments.ts';
import { type Verb, verbs } from '../verbs.ts';

/** `flux-pod help [VERB]`, and `--help` behind a verb. */
export async function help([name = '']: readonly string[]): Promise<number> {
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  process.stdout.write(verb ? helpOf(name, verb) : overview());
  return 0;
}

export async function version(): Promise<number> {
  process.stdout.write(`${packageJson.version}\n`);
  return 0;
}

const overview =
  (): string => `flux-pod ${packageJson.version}: turns the pods of an Indexed Job into one Flux instance

${Object.entries(verbs)
  .map(([name, verb]) => formsOf(name, verb))
  .join('')}
In a pod of an Indexed Job only the size must be given: FLUX_POD_SIZE=4 flux-pod run -- COMMAND
\`flux-pod VERB --help\` explains a verb's flags; those of \`run\` are the settings.
`;

const formsOf = (name: string, { forms }: Verb): string =>
  Object.entries(forms)
    .map(([form, meaning]) => `  ${`flux-pod ${name} ${form}`.padEnd(43)}${meaning}\n`)
    .join('');

function helpOf(name: string, verb: Verb): string {
  const flags = Object.entries(verb.flags).map(([flag, about]) => flagHelp(flag, about));
  return [
    formsOf(name, verb),
    ...(verb.more === undefined ? [] : [verb.more]),
    ...(flags.length === 0 ? [] : [flags.join('')]),
    ...(verb.settings ? [settingsHelp(verb.settings)] : []),
  ].join('\n');
}

function flagHelp(name: string, { short, value, meaning }: Flag): string {
  const dashed = `${short ? `-${short}, ` : ''}--${name}${value ? ` ${value}` : ''}`;
  return `  ${dashed}\n      ${meaning.replaceAll('\n', '\n      ')}\n`;
}

function settingsHelp(flags: readonly string[]): string {
  const rows = settingNames
    .filter((name) => flags.includes(flagName(name)))
    .map((name) => {
      const { meaning, default: fallback } = settings[name];
      return `  --${flagName(name)}  ${environmentName(name)}\n      ${meaning} (default: ${fallback})\n`;
    });
  return `Settings: a flag, else an environment variable, else /etc/flux-pod/config.toml (--config, FLUX_POD_CONFIG),
else what the pod tells, else the default.

${rows.join('')}`.replaceAll('`', '');
}
