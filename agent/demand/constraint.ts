/**
 * Which nodes a job's constraint admits: RFC 31, with the operators that the schedulers of flux-core know
 * (src/bindings/python/flux/resource/Rv1Set.py, _matches_constraint). Other schedulers have further ones. What is unknown here may match any
 * node: then the instance may grow by nodes that are of no use to the job, which is better than a job that waits for ever.
 */
import { parseHostlistWithin } from '../cluster/hostlist.ts';
import { parseIdsetWithin } from '../cluster/idset.ts';

/** What constraints tell nodes apart by. */
export interface PlacedNode {
  readonly rank: number;
  readonly host: string;
  readonly properties: ReadonlySet<string>;
}

type Match = (node: PlacedNode) => boolean | 'maybe';

/** Undefined for no constraint. */
export function admits(constraint: unknown): (node: PlacedNode) => boolean {
  if (constraint === undefined) return () => true;
  const match = matchOf(constraint, 0, { left: mostMembers });
  return (node) => match(node) !== false;
}

const maybe: Match = () => 'maybe';
const deepest = 32;

/**
 * Hosts and ranks that one constraint may name, in all of its lists: `0-1048575` is short, a constraint has room for many of it, and a queue for
 * many constraints. One that names more counts as unknown.
 */
const mostMembers = 2 ** 12;

/** Of a whole constraint. */
interface Budget {
  left: number;
}

function matchOf(constraint: unknown, depth: number, budget: Budget): Match {
  if (typeof constraint !== 'object' || constraint === null || depth > deepest) return maybe;
  const entries = Object.entries(constraint);
  const [entry] = entries;
  if (!entry || entries.length > 1 || !Array.isArray(entry[1])) return maybe;
  const [operator, values] = entry as [string, unknown[]];
  const inner = () => values.map((value) => matchOf(value, depth + 1, budget));
  switch (operator) {
    case 'properties':
      return allOf(values.map(propertyMatch));
    case 'hostlist':
      return memberOf(values, parseHostlistWithin, budget, ({ host }) => host);
    case 'ranks':
      return memberOf(values, parseIdsetWithin, budget, ({ rank }) => rank);
    case 'and':
      return allOf(inner());
    case 'or':
      return not(allOf(inner().map(not)));
    case 'not':
      // RFC 31: not all of them.
      return not(allOf(inner()));
    default:
      return maybe;
  }
}

function propertyMatch(property: unknown): Match {
  if (typeof property !== 'string') return maybe;
  return property.startsWith('^')
    ? ({ properties }) => !properties.has(property.slice(1))
    : ({ properties }) => properties.has(property);
}

function memberOf<Member>(
  values: readonly unknown[],
  parse: (text: string, most: number) => readonly Member[],
  budget: Budget,
  of: (node: PlacedNode) => Member,
): Match {
  try {
    const members = new Set<Member>();
    for (const text of values) {
      const some = parse(String(text), budget.left);
      budget.left -= some.length;
      for (const member of some) members.add(member);
    }
    return (node) => members.has(of(node));
  } catch {
    // What it had read until then is not known to have been little.
    budget.left = 0;
    return maybe;
  }
}

/** False where one is; else unknown where one is. */
const allOf =
  (matches: readonly Match[]): Match =>
  (node) => {
    const results = matches.map((match) => match(node));
    if (results.includes(false)) return false;
    return results.includes('maybe') ? 'maybe' : true;
  };

const not =
  (match: Match): Match =>
  (node) => {
    const result = match(node);
    return result === 'maybe' ? result : !result;
  };
