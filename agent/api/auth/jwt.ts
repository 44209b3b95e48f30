/** The request for an access token that flux-restful-api's client signs: a JWT (RFC 7519) with HMAC-SHA256. Data in, data out. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { nameOf } from './authenticate.ts';

/** A token, and the client's name for itself. */
export interface TokenRequest {
  readonly pass: string;
  readonly user?: string;
}

/**
 * The claims { user, pass, scope: 'token' } of a JWT that is signed with `secretKey`, or with `pass` where there is no such key. Undefined
 * where it is no JWT, its signature is wrong, it is not valid now (`now` in milliseconds since 1970), or it has an audience.
 */
export function readJwt(jwt: string, secretKey: string | undefined, now: number): TokenRequest | undefined {
  const [head = '', body = '', signature = '', ...more] = jwt.split('.');
  if (signature === '' || more.length > 0) return undefined;
  const [header, claims] = [head, body].map(parseBase64);
  // RFC 7515, 4.1.11: `crit` names extensions that must be understood, and none is.
  if (header?.alg !== 'HS256' || 'crit' in header) return undefined;
  if (claims?.scope !== 'token' || typeof claims.pass !== 'string') return undefined;
  const expected = createHmac('sha256', secretKey ?? claims.pass)
    .update(`${head}.${body}`)
    .digest();
  const given = Buffer.from(signature, 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  if (!isValid(claims, now)) return undefined;
  return { pass: claims.pass, ...nameOf(claims.user, claims.pass) };
}

/** flux-restful-api's client sets none of these claims. RFC 7519, 4.1.3: a recipient that is not in `aud` must refuse. */
const isValid = ({ exp, nbf, aud }: Claims, now: number): boolean =>
  aud === undefined &&
  (exp === undefined || (typeof exp === 'number' && now < exp * 1000)) &&
  (nbf === undefined || (typeof nbf === 'number' && now >= nbf * 1000));

type Claims = Readonly<Record<string, unknown>>;

function parseBase64(text: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return typeof value === 'object' && value !== null ? (value as Claims) : undefined;
  } catch {
    return undefined;
  }
}
