/** The row of a verb: a file of commands/ exports one, and help, manual page, completion and parsing follow from it. */
import type { Flag, Options, ParsedArguments } from '../command-line/arguments.ts';

/** What completion asks for where a word is to be a job's id. */
export const jobIds = 'job ids';

export interface Verb {
  /** What stands behind the verb, and what that does. */
  readonly forms: Readonly<Record<string, string>>;
  readonly flags: Readonly<Record<string, Flag>>;
  /** The settings that are flags of it too. */
  readonly settings?: Options;
  /** How many words may stand behind it, or that a COMMAND may, behind `--`. Without it, none. */
  readonly takes?: number | 'COMMAND';
  /** The words that may stand behind it, or `jobIds`. */
  readonly words?: readonly string[] | typeof jobIds;
  /** One to three lines to copy. */
  readonly examples: readonly string[];
  /** More for its own help. */
  readonly more?: string;
  /** Resolves to the exit code. `loadVerbs` gives the rows of all verbs. */
  readonly run: (args: ParsedArguments, loadVerbs: () => Promise<Verbs>) => Promise<number>;
}

/** Verbs by their names, in the order of the help. */
export type Verbs = Readonly<Record<string, Verb>>;

/** For the help of every verb that takes a COMMAND. */
export const shellLine =
  'COMMAND is executed as it stands; one single word that has white space in it is a line for sh, as in -- "a; b".\n';
