import { type ParseArgsConfig, parseArgs } from 'node:util';
import { flagName, type SettingName, settingsOf } from '../../agent/config/settings.ts';
import { ExitCode, messageOf, PodError } from '../../agent/errors.ts';
import { didYouMean } from '../../agent/suggestion.ts';

/** Flags as node:util parses them. */
export type Options = Readonly<Record<string, Option>>;

type Option = NonNullable<ParseArgsConfig['options']>[string] & {
  /** `--NAME=VALUE` is `--NAME` and a word: node:util has no flag whose value may be left out. */
  readonly valueIsWord?: true;
};

/** A flag, and its help. */
export type Flag = Option & {
  readonly value?: string;
  /** The values that there are, for completion. */
  readonly choices?: readonly string[];
  readonly meaning: string;
};

export type Flags = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

const flagsOf = (names: readonly SettingName[]): Options =>
  Object.fromEntries(['config', ...names.map(flagName)].map((name) => [name, { type: 'string' } as const]));

/** Every setting of a pod as a flag, and `--config FILE`. */
export const settingFlags = flagsOf(settingsOf('run'));

/** The same for `flux-pod attach`. */
export const attachFlags = flagsOf(settingsOf('attach'));

export interface ParsedArguments {
  readonly flags: Flags;
  readonly positionals: readonly string[];
  /** What stands behind `--`, untouched. */
  readonly command: readonly string[];
}

/**
 * Parses a verb's arguments. `takes` is how many words may stand behind it, or that a COMMAND may, behind `--`. Where no COMMAND may, `--`
 * ends the flags (POSIX, Utility Syntax Guidelines, 10). Throws a PodError (exit 64) for a flag it does not know, or a word too many.
 */
export function parseVerbArguments(
  verb: string,
  args: readonly string[],
  options: Options,
  takes: number | 'COMMAND' = 0,
): ParsedArguments {
  const separator = args.indexOf('--');
  const own = (separator < 0 ? args : args.slice(0, separator)).flatMap((arg) => apart(arg, options));
  const command = separator < 0 ? [] : args.slice(separator + 1);
  const help = `\`flux-pod ${verb} --help\``;
  const refuse = (why: string, hint: string) =>
    new PodError(ExitCode.usage, `Cannot understand "flux-pod ${[verb, ...own].join(' ')}": ${why}`, {
      hint,
    });
  const tooMany = (word: string, hint = `${help} shows what it takes.`) =>
    refuse(`"${word}" is a word too many`, hint);
  /** What is wrong where a COMMAND has no `--` before it. */
  const withoutDashes = () => {
    const at = takes === 'COMMAND' ? firstWord(own, options) : undefined;
    if (at === undefined) return undefined;
    const meant = ['flux-pod', verb, ...own.slice(0, at), '--', ...own.slice(at)].join(' ');
    return tooMany(own[at] ?? '', `COMMAND stands behind \`--\`: \`${meant}\`.`);
  };
  let values: Flags = {};
  let positionals: string[] = [];
  try {
    // In a pod most settings are variables: parseArgs, which takes 0.5 ms to load, is left alone where it has nothing to parse.
    if (own.length > 0 || hasDefaults(options))
      ({ values, positionals } = parseArgs({ args: own, options, allowPositionals: true, strict: true }));
  } catch (error) {
    const [why = ''] = messageOf(error).split('. ', 1);
    const [, flag] = /^Unknown option '(--?[^']+)'/.exec(why) ?? [];
    const known = [...Object.keys(options), 'help'].map((name) => `--${name}`);
    const suggestion = flag === undefined ? '' : didYouMean(flag, known);
    throw withoutDashes() ?? refuse(`${why}${suggestion}`, `${help} lists the flags.`);
  }
  const words = takes === 'COMMAND' ? positionals : [...positionals, ...command];
  const surplus = words[takes === 'COMMAND' ? 0 : takes];
  if (surplus !== undefined) throw withoutDashes() ?? tooMany(surplus);
  return { flags: values, positionals: words, command: takes === 'COMMAND' ? command : [] };
}

const hasDefaults = (options: Options): boolean =>
  Object.values(options).some((option) => option.default !== undefined);

function apart(arg: string, options: Options): string[] {
  const [, flag = '', name = '', value = ''] = /^(--([^=]+))=(.*)$/s.exec(arg) ?? [];
  return options[name]?.valueIsWord ? [flag, value] : [arg];
}

/** Where the first word is that is neither a flag nor the value of one, if no unknown flag stands before it. */
function firstWord(own: readonly string[], options: Options): number | undefined {
  const { tokens } = parseArgs({
    args: [...own],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const first = tokens.find((token) => token.kind === 'positional' || isMistaken(token));
  return first?.kind === 'positional' ? first.index : undefined;

  function isMistaken(token: (typeof tokens)[number]): boolean {
    if (token.kind !== 'option') return false;
    const known = options[token.name];
    return (
      known === undefined ||
      (known.type === 'string' && !token.inlineValue && /^-./.test(token.value ?? '-x'))
    );
  }
}
