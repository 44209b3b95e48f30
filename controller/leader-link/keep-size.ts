/** Asks a leader for the size that is to be kept: once over each link, and again after a time where it is not known whether it was accepted. */
import type { Keep } from '../../agent/controller-link/keep.ts';
import type { OpenLink } from '../../agent/link/open-link.ts';
import { type Clock, pause } from '../kubernetes/controller-clock.ts';

export interface KeepSize {
  /** The leader is to keep this size from now on. The same one again is not asked for again. */
  readonly keep: (size: number) => void;
  /** There is another link; undefined for none. */
  readonly over: (link: OpenLink | undefined) => void;
}

export interface KeepSizeOptions {
  readonly retryMs: number;
  readonly clock: Clock;
  /** The leader, or its agent's version, takes no request for this size. */
  readonly onRefused: (size: number) => void;
  readonly signal: AbortSignal;
}

export function createKeepSize({ retryMs, clock, onRefused, signal }: KeepSizeOptions): KeepSize {
  let wanted: number | undefined;
  let link: OpenLink | undefined;
  const deliver = async () => {
    const [over, size] = [link, wanted];
    const holds = () => !signal.aborted && over === link && size === wanted;
    while (over && size !== undefined && holds()) {
      const answer = await over.request({ kind: 'keep', size } satisfies Keep);
      if (answer === 'refused' && holds()) onRefused(size);
      if (answer !== 'unavailable') return;
      await pause(clock, retryMs, signal);
    }
  };
  return {
    keep: (size) => {
      if (size === wanted) return;
      wanted = size;
      void deliver();
    },
    over: (next) => {
      link = next;
      void deliver();
    },
  };
}
