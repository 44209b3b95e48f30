/** Default names of jobs. Flux takes argv[0] (job_data.c of its job-list), which is no name where that is a shell. */
import { splitWords } from '../shell-words.ts';

const mostLength = 255;

/** The program that a line for sh begins with, without its directory; undefined where there is none. Data in, data out. */
export function nameOfLine(line: string): string | undefined {
  const begin = line
    .split('\n')
    .map((each) => each.trim())
    .find((each) => each !== '' && !each.startsWith('#'));
  // Words end where the shell ends them (POSIX, 2.10.2), except that what is quoted is one.
  const [words = ''] =
    /^(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^'"\\;&|<>()])*/.exec((begin ?? '').replace(/^[({!\s]+/, '')) ?? [];
  const program = splitWords(words).find((word) => !/^\w+=/.test(word));
  const name = program?.replace(/\/+$/, '').split('/').at(-1);
  return name ? name.slice(0, mostLength) : undefined;
}
