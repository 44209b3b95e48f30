/** The error of an operation on jobs or nodes. Errors of Flux itself are thrown as they are. */
import type { Fault } from './faults.ts';

/** `partly-submitted`: of several jobs some were submitted; the first error is the cause. */
export type JobErrorKind = 'not-found' | 'invalid' | 'bad-cursor' | 'partly-submitted';

export class JobError extends Error {
  override readonly name = 'JobError';
  readonly kind: JobErrorKind;
  /** Faults of parts of the request, where they are known. */
  readonly faults: readonly Fault[];
  /** The ids (F58) of the jobs that were submitted before. */
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
