/** Requests to the API, with the cookie of the session. */
import type { z } from 'zod/mini';
import type { jobAnswer, submitAnswer } from '../../jobs/job-schemas.ts';
import type {
  eventlogAnswer,
  healthAnswer,
  jobsAnswer,
  nodesAnswer,
  sessionAnswer,
} from '../routes/api-schemas.ts';
import { sawLeaderTime } from './leader-clock.ts';

export type Job = z.output<typeof jobAnswer>;
export type Jobs = z.output<typeof jobsAnswer>;
export type Nodes = z.output<typeof nodesAnswer>;
export type Node = Nodes['details'][number];
export type Eventlog = z.output<typeof eventlogAnswer>;
export type Session = z.output<typeof sessionAnswer>;
export type Health = z.output<typeof healthAnswer>;
export type Submitted = z.output<typeof submitAnswer>;

/** A problem of the API (RFC 9457). */
export class Refusal extends Error {
  readonly status: number;
  readonly errors: readonly { where: string; what: string }[];

  constructor(status: number, detail: string, errors: readonly { where: string; what: string }[] = []) {
    super(detail);
    this.status = status;
    this.errors = errors;
  }
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

let signedOut: () => void = () => undefined;
/** Sets the listener for the end of the session. */
export const onSignedOut = (listener: () => void): void => {
  signedOut = listener;
};

export async function ask<Answer>(method: Method, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(path, {
    method,
    headers: { 'x-flux-pod': 'page', ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch(() => {
    throw new Refusal(0, 'The API does not answer. Does the MiniCluster still run?');
  });
  sawLeaderTime(Date.parse(response.headers.get('date') ?? ''));
  const answer: unknown = await response.json().catch(() => ({}));
  if (response.ok) return answer as Answer;
  const { detail, errors } = answer as { readonly detail?: string; readonly errors?: Refusal['errors'] };
  if (response.status === 401 && path !== '/v1/session') signedOut();
  throw new Refusal(response.status, detail ?? response.statusText, errors);
}

export const get = <Answer>(path: string): Promise<Answer> => ask<Answer>('GET', path);

/** The sentence for anything thrown. */
export const sentenceOf = (error: unknown): string => {
  if (!(error instanceof Refusal)) return error instanceof Error ? error.message : String(error);
  const faults = error.errors
    .filter(({ what }) => !error.message.includes(what))
    .map(({ where, what }) => `${where.replace(/^\//, '')}: ${what}`);
  // The faults have the same information, with their places.
  const isGeneral = faults.length > 0 && / is not what was expected\.$/.test(error.message);
  return (isGeneral ? faults : [error.message, ...faults]).join(' ');
};
