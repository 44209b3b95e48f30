/**
 * Compares what a client presents with the tokens, so that guessing is slow: after some wrong ones from an address, what is
 * presented from there is refused before it is compared, until one try has come back. A refusal so says nothing about the guess.
 * A token that was right from an address before is compared all the same: a guesser behind a port-forward or an ingress, where
 * all clients have one address, does not lock out the others. Guesses can so be tested against those tokens, and only those.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { RateLimit } from '../../http/rate-limit.ts';
import { Problem } from '../problem.ts';
import { refuseWithoutTokens } from './authenticate.ts';
import { type Credentials, findToken, type Token } from './credentials.ts';

export interface TokenCheck {
  /** The token that `secret` is; undefined where it is none. Throws a Problem: 429 where it is not compared, 503 where no token is known. */
  readonly find: (address: string, secret: string, credentials: Credentials) => Token | undefined;
}

/** As many pairs of an address and a token are remembered, those that were used last. */
const mostUsed = 10_000;

/** `guesses` are the wrong ones that an address has. */
export function createTokenCheck(guesses: RateLimit, most: number = mostUsed): TokenCheck {
  // Under a key of this process, so that how long a look into the set takes says nothing about a token.
  const key = randomBytes(32);
  const used = new Set<string>();
  return {
    find: (address, secret, credentials) => {
      refuseWithoutTokens(credentials);
      const { tokens = [] } = credentials;
      const pair = createHmac('sha256', key).update(`${address} ${secret}`).digest('base64');
      const wait = guesses.wait(address);
      if (wait > 0 && !used.has(pair)) throw notCompared(wait);
      const token = findToken(tokens, secret);
      used.delete(pair);
      if (!token) guesses.take(address);
      else used.add(pair);
      const [oldest] = used;
      if (used.size > most && oldest !== undefined) used.delete(oldest);
      return token;
    },
  };
}

const notCompared = (seconds: number): Problem =>
  new Problem(
    'too-many-requests',
    'Too many wrong tokens have come from this address: a token that was not used from here before is not compared now.',
    { headers: { 'retry-after': String(Math.ceil(seconds)) } },
  );
