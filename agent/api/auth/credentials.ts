/** The API's tokens as mounted from a Secret, and the certificate and key for TLS. Only the hash of a token stays in memory. */
import { hash as digest, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { isLoopback } from '../../address.ts';
import { ExitCode, errnoOf, messageOf, PodError } from '../../errors.ts';
import { keysInstead } from '../../mounted-keys.ts';
import { isSession } from './sessions.ts';

/** `read` may read everything, `write` may also change everything and run programs as the instance's owner. */
export type Role = 'read' | 'write';
const roles: readonly Role[] = ['write', 'read'];

export interface Token {
  readonly role: Role;
  readonly hash: Buffer;
  /** The first 32 bits of the hash, to tell tokens apart in the log. */
  readonly id: string;
}

/** Read at the start, and after each change of the mounts. */
export interface Credentials {
  /** Undefined where no token is required: the API listens on loopback only, and every client has the role `write`. */
  readonly tokens: readonly Token[] | undefined;
  /** Signs the requests for a token that flux-restful-api's client makes (its FLUX_SECRET_KEY), where there is one. */
  readonly secretKey: string | undefined;
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | undefined;
  /** Why the Secret cannot be used: there is then no token, and every client is refused. */
  readonly tokenFault?: string | undefined;
  /** Why the mounted certificate cannot be used: `tls` is then the one before. */
  readonly tlsFault?: string | undefined;
}

export interface CredentialSources {
  readonly apiListen: { readonly host: string };
  readonly apiTokens: string | undefined;
  readonly apiTlsCert: string | undefined;
  readonly apiTlsKey: string | undefined;
}

const leastTokenLength = 16;

/** Reads and checks the mounted files. Throws a PodError (exit 78) that names the file and never its content. */
export function readCredentials(sources: CredentialSources): Credentials {
  const { apiTokens, apiListen } = sources;
  if (apiTokens === undefined && !isLoopback(apiListen.host))
    throw refuse('there is no token', 'Set FLUX_POD_API_TOKENS to the mounted Secret.');
  return { ...readSecret(sources), tls: readTls(sources) };
}

/** The same while the API runs: a Secret that cannot be used refuses every client, a certificate that cannot leaves the one before. */
export function readCredentialsAgain(sources: CredentialSources, before: Credentials): Credentials {
  const secret = attempt(() => readSecret(sources));
  const tls = attempt(() => readTls(sources));
  return {
    // Never undefined, which would admit every client.
    ...(secret.read ?? { tokens: [], secretKey: undefined }),
    ...(secret.fault !== undefined && { tokenFault: `FLUX_POD_API_TOKENS: ${secret.fault}` }),
    tls: tls.fault === undefined ? tls.read : before.tls,
    ...(tls.fault !== undefined && { tlsFault: tls.fault }),
  };
}

function attempt<T>(read: () => T): { read?: T; fault?: string } {
  try {
    return { read: read() };
  } catch (error) {
    const hint = error instanceof PodError && error.hint !== undefined ? `. ${error.hint}` : '';
    return { fault: `${messageOf(error).replace(refusal, '')}${hint}` };
  }
}

function readSecret({ apiTokens }: CredentialSources): Pick<Credentials, 'tokens' | 'secretKey'> {
  if (apiTokens === undefined) return { tokens: undefined, secretKey: undefined };
  return {
    tokens: readTokens(apiTokens),
    secretKey: readOptional(join(apiTokens, 'secret-key'))?.trim(),
  };
}

function readTokens(directory: string): Token[] {
  const tokens = roles.flatMap((role) => {
    const path = join(directory, role);
    const lines = (readOptional(path) ?? '').split('\n').map((line) => line.trim());
    return lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => tokenOf(path, role, line));
  });
  if (tokens.length > 0) return tokens;
  throw refuse(
    `there is no token in ${directory}${keysInstead(directory)}`,
    'It needs a file `write`, and may have a file `read`, with one token a line.',
  );
}

function tokenOf(path: string, role: Role, text: string): Token {
  const weak = text.length < leastTokenLength ? `is shorter than ${leastTokenLength} characters` : undefined;
  const odd = /^[\x21-\x7e]+$/.test(text) ? undefined : 'has characters that no HTTP header can carry';
  const session = isSession(text) ? 'has the form of a session' : undefined;
  const wrong = weak ?? odd ?? session;
  if (wrong) {
    throw refuse(`a token in ${path} ${wrong}`, 'Make one with `openssl rand -hex 32`.');
  }
  const hash = hashOf(text);
  return { role, hash, id: hash.toString('hex', 0, 4) };
}

/** In one call: an object of createHash costs several times as much, and every request has a token. */
const hashOf = (text: string): Buffer => digest('sha256', text, 'buffer');

/** The token that `text` is. Every token is compared, each in constant time. */
export function findToken(tokens: readonly Token[], text: string): Token | undefined {
  const hash = hashOf(text);
  let found: Token | undefined;
  for (const token of tokens) if (timingSafeEqual(token.hash, hash)) found ??= token;
  return found;
}

function readTls({ apiTlsCert: cert, apiTlsKey: key }: CredentialSources): Credentials['tls'] {
  if (cert === undefined || key === undefined) return undefined;
  const tls = { cert: readRequired(cert), key: readRequired(key) };
  try {
    createSecureContext(tls);
  } catch (error) {
    throw refuse(`${cert} and ${key} do not make a TLS server (${messageOf(error)})`, tlsHint);
  }
  return tls;
}

const tlsHint = 'Mount a Secret of the type kubernetes.io/tls: its tls.crt and tls.key.';

function readRequired(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw refuse(`${path} cannot be read (${errnoOf(error) ?? messageOf(error)})`, tlsHint);
  }
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw refuse(
      `${path} cannot be read (${errnoOf(error) ?? messageOf(error)})`,
      'FLUX_POD_API_TOKENS is the directory that the Secret is mounted at.',
    );
  }
}

const refusal = 'Cannot serve the API: ';
const refuse = (why: string, hint: string): PodError =>
  new PodError(ExitCode.configuration, `${refusal}${why}`, { hint });
