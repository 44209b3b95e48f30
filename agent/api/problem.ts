/** Errors as RFC 9457 problem details. */
import { detailOf, FluxError, isOutage } from '../flux/errors.ts';
import type { Fault } from '../jobs/faults.ts';
import { JobError, type JobErrorKind } from '../jobs/job-error.ts';

/** The kinds of problem, each with its HTTP status and title. `type` in the answer is `/v1/problems#KIND`. */
export const problemKinds = {
  'bad-request': { status: 400, title: 'The request is malformed' },
  unauthorized: { status: 401, title: 'The request has no valid credentials' },
  forbidden: { status: 403, title: 'The request is not allowed' },
  'not-found': { status: 404, title: 'There is no such resource' },
  'method-not-allowed': { status: 405, title: 'The resource does not support this method' },
  conflict: { status: 409, title: 'The current state does not allow the request' },
  'too-large': { status: 413, title: 'The request body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body is not JSON' },
  invalid: { status: 422, title: 'The values in the request are not valid' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Internal error: please report it' },
  'flux-error': { status: 502, title: 'Flux answered with an error' },
  'no-tokens': { status: 503, title: 'The tokens of this API cannot be read' },
  unavailable: { status: 503, title: 'Flux does not answer' },
  'too-late': { status: 504, title: 'Flux did not answer before the deadline' },
} as const;
export type ProblemKind = keyof typeof problemKinds;

export interface ProblemExtras {
  readonly errors?: readonly Fault[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the answer. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** Thrown to end a request with a problem. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly kind: ProblemKind;
  readonly extras: ProblemExtras;

  constructor(kind: ProblemKind, detail: string, extras: ProblemExtras = {}) {
    super(detail);
    this.kind = kind;
    this.extras = extras;
  }
}

/** The body of the answer. */
export function problemBody({ kind, message, extras }: HttpProblem) {
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

function fluxProblem(error: FluxError): HttpProblem {
  const { errno } = error;
  const members = { errno };
  if (errno === 'ETIMEDOUT') return new HttpProblem('too-late', detailOf(error), { members });
  if (isOutage(error))
    return new HttpProblem('unavailable', detailOf(error), { headers: { 'retry-after': '1' }, members });
  return new HttpProblem(kindsByErrno[errno] ?? 'flux-error', detailOf(error), { members });
}

const kindsOfJobErrors: Readonly<Record<Exclude<JobErrorKind, 'partly-submitted'>, ProblemKind>> = {
  'not-found': 'not-found',
  invalid: 'invalid',
  'bad-cursor': 'bad-request',
};

function jobProblem(error: JobError, onInternal: (error: unknown) => void): HttpProblem {
  const { kind, message, faults, submitted } = error;
  if (kind === 'partly-submitted')
    return new HttpProblem(toProblem(error.cause, onInternal).kind, message, { members: { ids: submitted } });
  return new HttpProblem(kindsOfJobErrors[kind], message, faults.length > 0 ? { errors: faults } : {});
}

/** The problem of anything thrown. `onInternal` gets an error that no part of the agent throws on purpose. */
export function toProblem(error: unknown, onInternal: (error: unknown) => void): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof JobError) return jobProblem(error, onInternal);
  if (error instanceof FluxError) return fluxProblem(error);
  onInternal(error);
  return new HttpProblem('internal', 'The agent’s log has the error.');
}
