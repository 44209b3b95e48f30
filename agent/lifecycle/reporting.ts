/** What the agent tells of its pod while it lives: probes, status, metrics. All of it is loaded only once the broker is on its way. */

import { setMaxListeners } from 'node:events';
import type { PreparedApi } from '../api/prepare-api.ts';
import type { FluxClient } from '../flux/client.ts';
import { createBrokerObservation, type Observations } from '../health/observations.ts';
import type { HealthServer } from '../health/server.ts';
import type { BrokerWatch, WatchOptions } from '../health/watch-broker.ts';
import { instant } from '../instant.ts';
import type { Log } from '../log.ts';
import type { ParentLinks } from '../parent-link/parent.ts';
import type { PreparedPod } from './prepare.ts';
import type { Reread } from './watch-mounts.ts';

/** A broker, whoever has started it. */
export interface WatchedBroker extends Pick<WatchOptions, 'connect' | 'onState' | 'state'> {
  /** As numbered where it runs. */
  readonly pid: number;
  /** Milliseconds since 1970; now, unless given. */
  readonly startedAt?: number | undefined;
  readonly ended: Promise<unknown>;
}

export interface Reporting {
  /** Begins to serve; calls after the first do nothing. `agentSocket` is where `flux-pod status` asks, if anywhere. */
  readonly serve: (agentSocket: string | undefined) => Promise<void>;
  /** The links of the children's agents, once they are served. */
  readonly parentLinks: () => ParentLinks | undefined;
  /** Serves them for a broker that has started. `key` is the instance's. */
  readonly serveLinks: (key: () => Promise<Buffer>) => Promise<void>;
  /** Watches a broker for as long as it lives. */
  readonly watch: (broker: WatchedBroker) => Promise<void>;
  /** The connection to the broker, while there is one. */
  readonly client: () => FluxClient | undefined;
  /** Checks what the API needs, where it is enabled and this is the leader. Throws a PodError (exit 78). */
  readonly prepareApi: (pod: PreparedPod) => Promise<void>;
  /** Begins to serve it, where it was prepared; calls after the first do nothing. */
  readonly serveApi: () => Promise<void>;
  /** Begins to watch the mounted files; calls after the first do nothing. */
  readonly watchMounts: (pod: PreparedPod, reread: Reread) => Promise<void>;
  /** Fulfilled when somebody has released the held pod. */
  readonly released: Promise<void>;
  readonly close: () => void;
}

export function createReporting(observations: Observations, log: Log): Reporting {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let serving: Promise<HealthServer> | undefined;
  let watching: BrokerWatch | undefined;
  let parentLinks: ParentLinks | undefined;
  let api: PreparedApi | undefined;
  let unwatch: Promise<() => Promise<void>> | undefined;

  const begin = async (agentSocket: string | undefined): Promise<HealthServer> => {
    const [{ serveHealth }, { saveMemory }] = await Promise.all([
      import('../health/server.ts'),
      import('../health/save-memory.ts'),
    ]);
    // The API is worth a compiler.
    saveMemory({ compiles: observations.configuration.api !== 'off' });
    return serveHealth({
      observations,
      http: observations.configuration.http,
      socketPath: agentSocket,
      pulse: async () => watching?.pulse(),
      jobStates: () => jobStates(watching?.client(), observations),
      onRelease: release,
      log,
    });
  };

  return {
    serve: async (agentSocket) => {
      serving ??= begin(agentSocket);
      await serving.catch((error) => log('error', 'Cannot serve probes and status', { why: String(error) }));
    },
    parentLinks: () => parentLinks,
    serveLinks: async (key) => {
      if (!parentLinks && observations.membership) {
        const { createParentLinks } = await import('../parent-link/parent.ts');
        parentLinks = createParentLinks(observations.membership);
        (await serving)?.extend(parentLinks.extension);
      }
      parentLinks?.begin(await key());
    },
    watch: async ({ pid, startedAt, ended, ...how }) => {
      const observation = createBrokerObservation(pid, startedAt);
      observations.broker = observation;
      observations.brokersStarted++;
      const life = new AbortController();
      setMaxListeners(0, life.signal);
      void ended.then(() => {
        life.abort();
      });
      const leads = observations.membership?.rank === 0;
      try {
        const { noteEnd, watchBroker } = await import('../health/watch-broker.ts');
        watching = watchBroker(observation, { ...how, leads, signal: life.signal, log });
        await Promise.all([ended, watching.ended]);
        noteEnd(observation, instant());
      } catch (error) {
        log('error', 'The broker is no longer watched', { why: String(error) });
      }
    },
    prepareApi: async (pod) => {
      const { configuration, membership } = observations;
      if (configuration.api === 'off' || membership?.rank !== 0) return;
      const { prepareApi } = await import('../api/prepare-api.ts');
      api = prepareApi({ configuration, pod, observations, log });
    },
    serveApi: async () => {
      await api?.serve();
    },
    watchMounts: async (pod, reread) => {
      unwatch ??= import('./watch-mounts.ts').then(({ watchMounts }) =>
        watchMounts({ pod, observations, client: () => watching?.client(), log, ...reread }),
      );
      await unwatch;
    },
    client: () => watching?.client(),
    released,
    close: () => {
      void serving?.then((server) => server.close());
      void unwatch?.then((end) => end());
      api?.close();
    },
  };
}

const answerWithinMs = 250;

/** The leader's jobs by state, asked for when somebody looks. */
async function jobStates(client: FluxClient | undefined, { membership }: Observations) {
  if (!client || membership?.rank !== 0) return undefined;
  const { getJobStats } = await import('../flux/services/job-list.ts');
  try {
    const { total: _, ...states } = (await getJobStats(client, { timeoutMs: answerWithinMs })).job_states;
    return states;
  } catch {
    return undefined; // the job-list service is not there yet, or no more
  }
}
