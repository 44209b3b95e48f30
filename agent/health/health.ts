/** What the lifecycle has of the pod's state: how to write it, and how to serve it. Only this folder reads it. */
import type { Configuration } from '../config/configuration.ts';
import type { PhaseRecord } from '../pod/phase.ts';
import type { HealthServer, ServeOptions } from './http-server.ts';
import { createPodState, type PodStateWriter } from './pod-state.ts';

export interface Health {
  readonly podState: PodStateWriter;
  /** Serves probes, status and metrics. Loads the server only now. */
  readonly serve: (options: Omit<ServeOptions, 'state'>) => Promise<HealthServer>;
}

export function createHealth(configuration: Configuration, phases: readonly PhaseRecord[]): Health {
  const { state, writer } = createPodState(configuration, phases);
  return {
    podState: writer,
    serve: async (options) => {
      const { serveHealth } = await import('./http-server.ts');
      return serveHealth({ ...options, state });
    },
  };
}
