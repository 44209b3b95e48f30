/** Errors of a job and of the API, for the person at the command line. Data in, data out. */
import { apiTokenVariable } from '../../agent/config/layers.ts';
import { ExitCode, errnoOf, messageOf, PodError } from '../../agent/errors.ts';
import { detailOf, FluxError } from '../../agent/flux/errors.ts';
import { JobError } from '../../agent/jobs/job-error.ts';
import { printable } from '../../agent/printable.ts';

/** An error of the API: `detail`, and the faults by their parts of the request. */
export interface Refusal {
  readonly detail: string;
  readonly errors?: readonly { readonly where: string; readonly what: string }[] | undefined;
}

/** A part of a request by the flag that it comes from; the API names it by a JSON pointer or by a parameter. */
const flags: Readonly<Record<string, string>> = {
  tasks: 'ntasks',
  coresPerTask: 'cores-per-task',
  gpusPerTask: 'gpus-per-task',
  duration: 'time-limit',
  dependencies: 'dependency',
  environment: 'env',
};

const flagOf = (where: string): string => {
  const [, name = '', rest = ''] = /^\/?(?:job\/)?([^/]*)(.*)$/s.exec(where) ?? [];
  if (name === 'command') return 'COMMAND';
  return `--${flags[name] ?? name}${rest.replaceAll('/', ' ')}`;
};

export const sentenceOf = ({ detail, errors = [] }: Refusal): string =>
  errors.length === 0 ? detail : errors.map(({ where, what }) => `${flagOf(where)}: ${what}`).join('; ');

/** A refusal by Flux or by the checks in front of it as a PodError (exit 64); anything else is thrown as it is. */
export function refused(error: unknown): never {
  if (error instanceof JobError) throw usage(sentenceOf({ detail: error.message, errors: error.faults }));
  if (error instanceof FluxError) throw usage(detailOf(error));
  throw error;
}

export const usage = (message: string, hint?: string): PodError =>
  new PodError(ExitCode.usage, message, hint === undefined ? {} : { hint });

/** Where a token comes from, if there is one. */
export interface TokenSource {
  readonly url: string;
  readonly file: string | undefined;
}

/** An answer of the API that is none of success. */
export function apiRefusal(status: number, refusal: Refusal, { url, file }: TokenSource): PodError {
  if (status !== 401) return usage(`The API responds with ${status}: ${printable(sentenceOf(refusal))}`);
  return file === undefined
    ? usage(`The API at ${url} needs a token, and none is given`, tokenHint)
    : usage(`The API at ${url} does not take the token in ${file}`, tokenHint);
}

export const tokenHint = `${apiTokenVariable}, or --token-file, names a file that holds one token, such as \`kubectl get secret NAME -o jsonpath={.data.write} | base64 -d\` writes.`;

/** The token in the text of a file. Throws a PodError (exit 78) where no header can carry it. */
export function readToken(text: string, file: string): string {
  const token = text.trim();
  const refuse = (why: string) =>
    new PodError(ExitCode.configuration, `Cannot use the token in ${file}: ${why}`, { hint: tokenHint });
  if (token === '') throw refuse('the file is empty');
  if (!/^[\x21-\x7e]+$/.test(token)) throw refuse('expected one token, without white space in it');
  return token;
}

/** undici's and its parser's codes for a peer that closes the connection, or responds in another protocol than HTTP. */
const noHttp = /^(UND_ERR_SOCKET|ECONNRESET|HPE_)/;

/** Why no answer came from `url`: `error` is what fetch() has thrown. */
export function connectionError(url: string, error: unknown): PodError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return new PodError(
    ExitCode.peersUnavailable,
    `No API answers at ${url}: ${reasonOf(url, cause)}`,
    /^https:/i.test(url)
      ? { hint: 'NODE_EXTRA_CA_CERTS names a PEM file of certificates that are trusted as well.' }
      : {},
  );
}

function reasonOf(url: string, cause: unknown): string {
  const code = errnoOf(cause) ?? '';
  if (/^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)/.test(code))
    return 'https:// to a port that speaks plain HTTP?';
  if (url.startsWith('http://') && noHttp.test(code))
    return 'the connection broke without an answer; http:// to a port that speaks TLS?';
  // OpenSSL's messages end with a line end.
  return messageOf(cause).trim().split('\n', 1)[0] || code;
}
