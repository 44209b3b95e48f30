/** Why what was asked of jobs or nodes cannot be done. Errors of Flux itself are thrown as they are. */
import type { Fault } from './faults.ts';

/** `partly-submitted`: of several jobs some were submitted; the error that ended it is the cause. */
export type JobErrorKind = 'not-found' | 'invalid' | 'bad-cursor' | 'partly-submitted';

export class JobError extends Error {
  override readonly name = 'JobError';
  readonly kind: JobErrorKind;
  /** What is wrong with which part of the request, where that is known. */
  readonly faults: readonly Fault[];
  /** The ids (F58) of the jobs that were submitted nevertheless. */
  readonly submitted: readonly string[];

  constructor(
    kind: JobErrorKind,
    message: string,
    more: { faults?: readonly Fault[]; submitted?: readonly string[]; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause });
    this.kind = kind;
    this.faults = more.faults ?? [];
    this.submitted = more.submitted ?? [];
  }
}
