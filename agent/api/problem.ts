/** Errors as RFC 9457 problem details: what a client is told, and with which status. */
import { FluxError } from '../flux/errors.ts';

/** The kinds of problem, each with its HTTP status and title. `type` in the answer is `/v1/problems#KIND`. */
export const problemKinds = {
  'bad-request': { status: 400, title: 'The request cannot be understood' },
  unauthorized: { status: 401, title: 'Who asks is not known' },
  forbidden: { status: 403, title: 'This is not allowed' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'method-not-allowed': { status: 405, title: 'This cannot be done here' },
  conflict: { status: 409, title: 'This cannot be done now' },
  'too-large': { status: 413, title: 'The request is too large' },
  'unsupported-media-type': { status: 415, title: 'The body is not JSON' },
  invalid: { status: 422, title: 'What was asked for is not valid' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'An internal error: please report it' },
  'flux-error': { status: 502, title: 'Flux has answered with an error' },
  'no-tokens': { status: 503, title: 'The tokens of this API cannot be read' },
  unavailable: { status: 503, title: 'Flux does not answer' },
  'too-late': { status: 504, title: 'Flux has not answered in time' },
} as const;
export type ProblemKind = keyof typeof problemKinds;

/** What is wrong with one part of a request. */
export interface Fault {
  /** A JSON pointer into the body, or the name of a parameter. */
  readonly where: string;
  readonly what: string;
}

export interface ProblemExtras {
  readonly errors?: readonly Fault[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the answer. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** Thrown to end a request with a problem. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly kind: ProblemKind;
  readonly extras: ProblemExtras;

  constructor(kind: ProblemKind, detail: string, extras: ProblemExtras = {}) {
    super(detail);
    this.kind = kind;
    this.extras = extras;
  }
}

/** The body of the answer. */
export function problemBody({ kind, message, extras }: Problem) {
  const { status, title } = problemKinds[kind];
  const errors = extras.errors && { errors: extras.errors };
  return { type: `/v1/problems#${kind}`, title, status, detail: message, ...errors, ...extras.members };
}

const kindsByErrno: Readonly<Record<string, ProblemKind>> = {
  ENOENT: 'not-found',
  EINVAL: 'invalid',
  EPERM: 'forbidden',
  EEXIST: 'conflict',
  ENOSYS: 'unavailable',
  ECONNRESET: 'unavailable',
  ECONNREFUSED: 'unavailable',
  EHOSTUNREACH: 'unavailable',
  ECANCELED: 'unavailable',
  EPIPE: 'unavailable',
  ETIMEDOUT: 'too-late',
};

/** Whether Flux could not be asked, rather than that it said no. */
export const isOutage = (error: unknown): boolean =>
  error instanceof FluxError && ['unavailable', 'too-late'].includes(kindsByErrno[error.errno] ?? '');

/** Anything thrown as a problem. `toInternal` is told of what nobody expected. */
export function toProblem(error: unknown, onInternal: (error: unknown) => void): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof FluxError) {
    const kind = kindsByErrno[error.errno] ?? 'flux-error';
    const headers = kind === 'unavailable' ? { headers: { 'retry-after': '1' } } : {};
    return new Problem(kind, wordsOf(error), { ...headers, members: { errno: error.errno } });
  }
  onInternal(error);
  return new Problem('internal', 'The agent’s log says more.');
}

/** Flux's own words, without the topic, which is ours. */
export const wordsOf = ({ message, topic }: FluxError): string =>
  topic !== undefined && message.startsWith(`${topic}: `) ? message.slice(topic.length + 2) : message;
