/** A link to one leader, opened again after a backoff whenever there is none. */
import type { Report } from '../../agent/controller-link/report.ts';
import type { NoLink, OpenLink } from '../../agent/link/open-link.ts';
import { type Clock, pause } from '../kubernetes/controller-clock.ts';
import { type Backoff, nextDelay } from '../kubernetes/exponential-backoff.ts';
import { type ControllerLinkOptions, openControllerLink } from './controller-end.ts';
import type { LeaderTarget } from './leader-target.ts';

export interface KeepLinkOptions extends Pick<ControllerLinkOptions, 'holder' | 'signal' | 'deadlines'> {
  readonly backoff: Backoff;
  readonly clock: Clock;
  readonly random?: () => number;
  readonly onReport: (report: Report) => void;
  readonly onLink: (link: OpenLink) => void;
  /** The link has broken: what was reported may no longer hold. */
  readonly onBroken: () => void;
  /** There was no link, for so many times in a row. */
  readonly onFailure: (why: NoLink, failures: number) => void;
}

/** Resolves when `signal` has aborted, which also closes the link. */
export async function keepLink(target: LeaderTarget, options: KeepLinkOptions): Promise<void> {
  const { holder, signal, deadlines, backoff, clock, random = Math.random } = options;
  const { host, port, key } = target;
  let failures = 0;
  while (!signal.aborted) {
    const onReport = (report: Report) => {
      failures = 0;
      if (!signal.aborted) options.onReport(report);
    };
    const link = await openControllerLink({ host, port }, { key, holder, signal, deadlines, onReport });
    if (typeof link !== 'string') {
      options.onLink(link);
      await link.broken;
      if (!signal.aborted) options.onBroken();
    }
    if (signal.aborted) return;
    failures++;
    if (typeof link === 'string') options.onFailure(link, failures);
    // An agent that is too old, or of another certificate, is the same one tomorrow.
    const longest = link === 'foreign' ? Number.POSITIVE_INFINITY : failures;
    await pause(clock, nextDelay(backoff, longest, random), signal);
  }
}
