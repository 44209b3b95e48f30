/** Faults of a request by its schema, as sentences with their places. Data in, data out. */
import type { z } from 'zod/mini';

/** A fault of one part of a request. */
export interface Fault {
  /** A JSON pointer into the body, or the name of a parameter. */
  readonly where: string;
  readonly what: string;
}

/** Every fault, each with a JSON pointer to its place. */
export const faultsOf = ({ issues }: z.core.$ZodError): Fault[] =>
  issues.flatMap((issue) => faultsAt(issue, []));

type Issue = z.core.$ZodIssue;

/** Of the alternatives of a union the likeliest is explained: the one with the fewest faults. */
function faultsAt(issue: Issue, path: readonly PropertyKey[]): Fault[] {
  const whole = [...path, ...issue.path];
  if (issue.code === 'invalid_union' && issue.errors.length > 0 && !hasWords(issue)) {
    const alternatives = [...issue.errors].sort((a, b) => weight(a) - weight(b));
    return (alternatives[0] ?? []).flatMap((inner) => faultsAt(inner, whole));
  }
  if (issue.code === 'invalid_key') return issue.issues.flatMap((inner) => faultsAt(inner, whole));
  const where = `/${whole.map(String).join('/')}`;
  return issue.code === 'unrecognized_keys'
    ? issue.keys.map((key) => ({
        where: `${where === '/' ? '' : where}/${key}`,
        what: 'there is no such field',
      }))
    : [{ where, what: wordsOf(issue) }];
}

const weight = (issues: readonly Issue[]): number =>
  issues.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 1), 0);

/** Whether the schema has a message of its own. zod's default is this one, without a locale. */
const hasWords = ({ message }: Issue): boolean => message !== 'Invalid input';

function wordsOf(issue: Issue): string {
  if (hasWords(issue)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${kindNames[issue.expected] ?? issue.expected}`;
    case 'too_small':
      return `expected at least ${issue.minimum}`;
    case 'too_big':
      return `expected at most ${issue.maximum}`;
    case 'invalid_value':
      return `expected one of ${issue.values.map(String).join(', ')}`;
    default:
      return 'not what was expected';
  }
}

const kindNames: Readonly<Record<string, string>> = {
  int: 'a whole number',
  string: 'text',
  boolean: 'true or false',
  array: 'a list',
  record: 'an object',
};
