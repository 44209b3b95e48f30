/** The brokers online and the jobs by state, from Flux's own streams: nothing is asked again and again. */
import { watchGroup } from '../flux/services/groups.ts';
import { type JobStats, watchJobStats } from '../flux/services/job-list.ts';
import { keepStream, type StreamOptions } from '../instance/keep-stream.ts';
import type { InstanceFacts } from './report.ts';

export interface WatchInstanceOptions extends StreamOptions {
  readonly onChange: (facts: Partial<InstanceFacts>) => void;
}

/** Watches until `signal` aborts: two streams, each on a connection to the broker of its own. */
export function watchInstance({ onChange, ...options }: WatchInstanceOptions): void {
  const { signal } = options;
  void keepStream(
    'brokers online',
    (client) => watchGroup(client, 'broker.online', { signal }),
    (online) => onChange({ brokersOnline: online.length }),
    options,
  );
  void keepStream(
    'job states',
    (client) => watchJobStats(client, { signal }),
    (stats) => onChange({ jobs: jobsOf(stats) }),
    options,
  );
}

/** RFC 21: pending is DEPEND, PRIORITY and SCHED; running is RUN and CLEANUP. */
const jobsOf = ({ job_states: { depend, priority, sched, run, cleanup, inactive } }: JobStats) => ({
  pending: depend + priority + sched,
  running: run + cleanup,
  inactive,
});
