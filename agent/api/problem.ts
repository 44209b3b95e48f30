/** Errors as RFC 9457 problem details: what a client is told, and with which status. */
import { detailOf, FluxError, isOutage } from '../flux/errors.ts';
import type { Fault } from '../jobs/faults.ts';
import { JobError, type JobErrorKind } from '../jobs/job-error.ts';

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
};

function fluxProblem(error: FluxError): Problem {
  const { errno } = error;
  const members = { errno };
  if (errno === 'ETIMEDOUT') return new Problem('too-late', detailOf(error), { members });
  if (isOutage(error))
    return new Problem('unavailable', detailOf(error), { headers: { 'retry-after': '1' }, members });
  return new Problem(kindsByErrno[errno] ?? 'flux-error', detailOf(error), { members });
}

const kindsOfJobErrors: Readonly<Record<Exclude<JobErrorKind, 'partly-submitted'>, ProblemKind>> = {
  'not-found': 'not-found',
  invalid: 'invalid',
  'bad-cursor': 'bad-request',
};

function jobProblem(error: JobError, onInternal: (error: unknown) => void): Problem {
  const { kind, message, faults, submitted } = error;
  if (kind === 'partly-submitted')
    return new Problem(toProblem(error.cause, onInternal).kind, message, { members: { ids: submitted } });
  return new Problem(kindsOfJobErrors[kind], message, faults.length > 0 ? { errors: faults } : {});
}

/** Anything thrown as a problem. `onInternal` gets what no part of the agent throws on purpose. */
export function toProblem(error: unknown, onInternal: (error: unknown) => void): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof JobError) return jobProblem(error, onInternal);
  if (error instanceof FluxError) return fluxProblem(error);
  onInternal(error);
  return new Problem('internal', 'The agent’s log says more.');
}
