/** What the commands of a machine are executed on (supervise.ts). */
import type { Configuration } from '../config/configuration.ts';
import type { PodStateWriter } from '../health/pod-state.ts';
import type { Log } from '../log.ts';
import type { Lifecycle } from '../pod/phase.ts';
import type { BrokerConnection } from './broker/connection.ts';
import type { PreparedPod } from './prepare/prepare-pod.ts';
import type { Services } from './services/services.ts';
import type { Reread } from './services/watch-mounts.ts';
import type { Signals } from './stop/signals.ts';

export interface Supervised {
  readonly configuration: Configuration;
  readonly pod: PreparedPod;
  /** Whether standard input is one. */
  readonly terminal: boolean;
  readonly signals: Signals;
  readonly lifecycle: Lifecycle;
  readonly podState: PodStateWriter;
  readonly connection: BrokerConnection;
  /** Called once, at the machine's command. */
  readonly startServices: () => Promise<Services>;
  readonly reread: Reread;
  readonly log: Log;
}
