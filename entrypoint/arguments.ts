import { type ParseArgsConfig, parseArgs } from 'node:util';
import { attachOnly, attachSettings } from '../agent/config/attach-settings.ts';
import { flagName, type SettingName, settingNames } from '../agent/config/settings.ts';
import { ExitCode, messageOf, PodError } from '../agent/errors.ts';

type Options = NonNullable<ParseArgsConfig['options']>;

/** A flag: how node:util parses it, and what `--help` says of it. */
export type Flag = Options[string] & { readonly value?: string; readonly meaning: string };

export type Flags = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

const flagsOf = (names: readonly SettingName[]): Options =>
  Object.fromEntries(['config', ...names.map(flagName)].map((name) => [name, { type: 'string' } as const]));

/** Every setting of a pod as a flag, and `--config FILE`. */
export const settingFlags = flagsOf(settingNames.filter((name) => !attachOnly.includes(name)));

/** The same for `flux-pod attach`. */
export const attachFlags = flagsOf(attachSettings);

export interface ParsedArguments {
  readonly flags: Flags;
  readonly positionals: readonly string[];
  /** What stands behind `--`, untouched. */
  readonly command: readonly string[];
}

/** Parses a verb's arguments. Throws a PodError (exit 64) for a flag it does not know, or a word too many. */
export function parseVerbArguments(
  verb: string,
  args: readonly string[],
  options: Options,
  mostPositionals = 0,
): ParsedArguments {
  const separator = args.indexOf('--');
  const own = separator < 0 ? args : args.slice(0, separator);
  const command = separator < 0 ? [] : args.slice(separator + 1);
  const refuse = (why: string, hint: string) =>
    new PodError(ExitCode.usage, `Cannot understand "flux-pod ${[verb, ...own].join(' ')}": ${why}`, {
      hint,
    });
  let values: Flags;
  let positionals: string[];
  try {
    ({ values, positionals } = parseArgs({ args: [...own], options, allowPositionals: true, strict: true }));
  } catch (error) {
    throw refuse(messageOf(error).split('. ', 1)[0] ?? '', `\`flux-pod ${verb} --help\` lists the flags.`);
  }
  if (positionals.length > mostPositionals) {
    throw refuse(
      `"${positionals[mostPositionals]}" is a word too many`,
      'A COMMAND stands behind `--`, as in `flux-pod run -- COMMAND ARG...`.',
    );
  }
  return { flags: values, positionals, command };
}
