/**
 * Compares a client's token with the API's tokens, with a rate limit on wrong ones: beyond it a token from that address is refused without a
 * comparison, so the refusal has no information about the guess. A token that was right from an address before is compared all the same:
 * behind a port-forward or an ingress all clients have one address, and one that guesses does not lock out the others. Guesses can so be
 * tested against those tokens, and only those.
 */
import type { RateLimit } from '../../http/rate-limit.ts';
import { HttpProblem } from '../problem.ts';
import { refuseWithoutTokens } from './authenticate.ts';
import { type Credentials, findToken, type Token } from './credentials.ts';

export interface TokenCheck {
  /** The token that `secret` is; undefined where it is none. Throws a Problem: 429 where it is not compared, 503 where the tokens cannot be read. */
  readonly find: (address: string, secret: string, credentials: Credentials) => Token | undefined;
}

/** Pairs of an address and a token that are remembered: those used last. */
const mostUsed = 10_000;

/** `guesses` limits the wrong tokens of an address. */
export function createTokenCheck(guesses: RateLimit, most: number = mostUsed): TokenCheck {
  const used = new Set<string>();
  return {
    find: (address, secret, credentials) => {
      refuseWithoutTokens(credentials);
      const { tokens = [] } = credentials;
      const pairOf = ({ hash }: Token) => `${address} ${hash.toString('base64')}`;
      const wait = guesses.wait(address);
      const token = findToken(wait > 0 ? tokens.filter((known) => used.has(pairOf(known))) : tokens, secret);
      if (!token) {
        if (wait > 0) throw notCompared(wait);
        guesses.take(address);
        return undefined;
      }
      const pair = pairOf(token);
      used.delete(pair);
      used.add(pair);
      const [oldest] = used;
      if (used.size > most && oldest !== undefined) used.delete(oldest);
      return token;
    },
  };
}

const notCompared = (seconds: number): HttpProblem =>
  new HttpProblem(
    'too-many-requests',
    'Too many wrong tokens have come from this address: a token that was not used from here before is not compared now.',
    { headers: { 'retry-after': String(Math.ceil(seconds)) } },
  );
