/** Idempotency keys: a request that is sent again with its key is answered as before, and not carried out again. */
import { hash } from 'node:crypto';
import * as z from 'zod/mini';
import { optional, text } from '../../jobs/json-kinds.ts';
import { HttpProblem } from '../problem.ts';

export interface Idempotency<Answer> {
  /** The answer of `act`, or the earlier answer to this client's request with `key`. Throws an HttpProblem (422) where that was another request. */
  readonly once: (
    client: string,
    key: string | undefined,
    request: unknown,
    act: () => Promise<Answer>,
  ) => Promise<{ answer: Answer; isReplay: boolean }>;
}

/** Keys that are remembered, how long, and how long a key may be. */
const most = { keys: 20_000, milliseconds: 86_400_000, keyLength: 255 };

/** The header, for the rows of routes that take it. */
export const idempotencyHeader = z.object({
  'Idempotency-Key': optional(text(most.keyLength), 'the same request with the same key is carried out once'),
});

export function createIdempotency<Answer>(now: () => number = Date.now): Idempotency<Answer> {
  const known = new Map<string, { digest: string; at: number; answer: Promise<Answer> }>();
  return {
    once: async (client, key, request, act) => {
      if (key === undefined) return { answer: await act(), isReplay: false };
      if (key === '' || key.length > most.keyLength)
        throw new HttpProblem('bad-request', `Idempotency-Key has from 1 to ${most.keyLength} characters.`);
      const name = `${client} ${key}`;
      const digest = hash('sha256', JSON.stringify(request), 'base64');
      const before = known.get(name);
      if (before && now() - before.at < most.milliseconds) {
        if (before.digest !== digest)
          throw new HttpProblem('invalid', 'This Idempotency-Key was used for another request.');
        return { answer: await before.answer, isReplay: true };
      }
      const answer = act();
      known.set(name, { digest, at: now(), answer });
      const [oldest] = known.keys();
      if (known.size > most.keys && oldest !== undefined) known.delete(oldest);
      // A request that failed may be retried.
      answer.catch(() => known.delete(name));
      return { answer: await answer, isReplay: false };
    },
  };
}
