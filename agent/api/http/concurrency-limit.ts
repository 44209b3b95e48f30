/** A limit on concurrent operations: of all clients together, and of one, so that one client cannot use them all. */
import { HttpProblem } from '../problem.ts';

export interface ConcurrencyLimit {
  /** Takes one until it is disposed of. Throws an HttpProblem (429) where the limit is reached. */
  readonly take: (client: string) => Disposable;
}

export interface ConcurrencyLimits {
  readonly most: number;
  readonly each: number;
}

/** `what` names the operations in the plural, such as `streams`. */
export function createConcurrencyLimit(what: string, { most, each }: ConcurrencyLimits): ConcurrencyLimit {
  const taken = new Map<string, number>();
  let all = 0;
  const refuse = (sentence: string): never => {
    throw new HttpProblem('too-many-requests', sentence, { headers: { 'retry-after': '5' } });
  };
  return {
    take: (client) => {
      const own = taken.get(client) ?? 0;
      if (own >= each)
        refuse(`This token has ${own} ${what} under way, as many as one token may have at once.`);
      if (all >= most) refuse(`${all} ${what} are under way, as many as there can be at once.`);
      all++;
      taken.set(client, own + 1);
      let given = false;
      return {
        [Symbol.dispose]: () => {
          if (given) return;
          given = true;
          all--;
          const left = (taken.get(client) ?? 1) - 1;
          if (left > 0) taken.set(client, left);
          else taken.delete(client);
        },
      };
    },
  };
}
