/** The brokers online and the jobs by state, from Flux's own streams: nothing is asked again and again. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectOptions, FluxClient } from '../flux/client.ts';
import { watchGroup } from '../flux/services/groups.ts';
import { type JobStats, watchJobStats } from '../flux/services/job-list.ts';
import type { Log } from '../log.ts';
import type { InstanceFacts } from './report.ts';

export interface WatchInstanceOptions {
  /** A connection for one stream: what has no stream of its own to cancel ends with it. Rejects where the broker takes none. */
  readonly connect: (options: ConnectOptions) => Promise<FluxClient>;
  readonly onChange: (facts: Partial<InstanceFacts>) => void;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly retry?: typeof usualRetry;
}

/** Milliseconds. A stream may end because its service is loaded later, or because the broker exits. */
const usualRetry = { least: 1000, most: 30_000 };

/** Watches until `signal` aborts: two streams, each on a connection to the broker of its own. */
export function watchInstance(options: WatchInstanceOptions): void {
  const { connect, onChange, signal, log, retry = usualRetry } = options;
  const forever = async <Item>(
    what: string,
    stream: (client: FluxClient) => AsyncGenerator<Item, void>,
    factsOf: (item: Item) => Partial<InstanceFacts>,
  ) => {
    for (let pauseMs = retry.least; !signal.aborted; pauseMs = Math.min(retry.most, pauseMs * 2)) {
      try {
        using client = await connect({ signal });
        for await (const item of stream(client)) {
          pauseMs = retry.least;
          onChange(factsOf(item));
        }
      } catch (error) {
        if (!signal.aborted) log('debug', `The stream of ${what} has ended`, { why: String(error) });
      }
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  };
  void forever(
    'brokers online',
    (client) => watchGroup(client, 'broker.online', { signal }),
    (online) => ({ brokersOnline: online.length }),
  );
  void forever(
    'job states',
    (client) => watchJobStats(client, { signal }),
    (stats) => ({ jobs: jobsOf(stats) }),
  );
}

/** RFC 21: pending is DEPEND, PRIORITY and SCHED; running is RUN and CLEANUP. */
const jobsOf = ({ job_states: { depend, priority, sched, run, cleanup, inactive } }: JobStats) => ({
  pending: depend + priority + sched,
  running: run + cleanup,
  inactive,
});
