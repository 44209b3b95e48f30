/** Idempotency keys: a request that is sent again with its key is not carried out again, but answered as before. */
import { createHash } from 'node:crypto';
import { Problem } from '../problem.ts';

export interface Idempotency<Answer> {
  /** The answer of `act`, or the one that this client got before for `key`. Throws a Problem (422) where it then asked something else. */
  readonly once: (
    client: string,
    key: string | undefined,
    request: string,
    act: () => Promise<Answer>,
  ) => Promise<{ answer: Answer; again: boolean }>;
}

/** As many keys are remembered, for as long. */
const most = { keys: 20_000, milliseconds: 86_400_000, keyLength: 255 };

export function createIdempotency<Answer>(now: () => number = Date.now): Idempotency<Answer> {
  const known = new Map<string, { digest: string; at: number; answer: Promise<Answer> }>();
  return {
    once: async (client, key, request, act) => {
      if (key === undefined) return { answer: await act(), again: false };
      if (key === '' || key.length > most.keyLength)
        throw new Problem('bad-request', `Idempotency-Key has from 1 to ${most.keyLength} characters.`);
      const name = `${client} ${key}`;
      const digest = createHash('sha256').update(request).digest('base64');
      const before = known.get(name);
      if (before && now() - before.at < most.milliseconds) {
        if (before.digest !== digest)
          throw new Problem('invalid', 'This Idempotency-Key was used for another request.');
        return { answer: await before.answer, again: true };
      }
      const answer = act();
      known.set(name, { digest, at: now(), answer });
      const [oldest] = known.keys();
      if (known.size > most.keys && oldest !== undefined) known.delete(oldest);
      // What failed may be tried again.
      answer.catch(() => known.delete(name));
      return { answer: await answer, again: false };
    },
  };
}
