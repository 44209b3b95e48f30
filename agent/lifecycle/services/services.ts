/**
 * The services of a pod: the HTTP server of probes, status, metrics and links, and on the leader the API. Each is loaded when it
 * starts.
 */
import type { PreparedApi } from '../../api/prepare-api.ts';
import type { Membership } from '../../broker/membership.ts';
import { after } from '../../clock.ts';
import type { Configuration } from '../../config/configuration.ts';
import type { Demand } from '../../demand/demand.ts';
import type { ConnectOptions, FluxClient } from '../../flux/client.ts';
import type { Health } from '../../health/health.ts';
import type { Extension, Hold } from '../../health/http-server.ts';
import type { FreeRanks } from '../../instance/free-ranks.ts';
import type { Connect } from '../../instance/keep-stream.ts';
import type { Log } from '../../log.ts';
import type { ParentLinks } from '../../parent-link/parent-end.ts';
import type { BrokerConnection } from '../broker/connection.ts';
import type { FollowedDemand } from './follow-demand.ts';

export interface ServicesOptions {
  readonly configuration: Pick<Configuration, 'http' | 'api'>;
  /** For the parent links; undefined where the pod has failed before, or the broker is another program's. */
  readonly membership?: Membership | undefined;
  /** Where `flux-pod status` asks; undefined where there is no run-time directory. */
  readonly agentSocket: string | undefined;
  readonly health: Health;
  readonly connection: Pick<BrokerConnection, 'pulse' | 'client' | 'leads'>;
  /** For the links of controllers, and for the demand; undefined where the pod accepts none. */
  readonly controllers?: ControllerAccess | undefined;
  readonly hold?: Hold | undefined;
  /** With its credentials checked; undefined where there is none. */
  readonly api?: PreparedApi | undefined;
  readonly log: Log;
}

export interface ControllerAccess {
  readonly key: () => Promise<Buffer>;
  /** The broker's. */
  readonly socket: string;
  /** Whether they may ask for another size. */
  readonly isElastic: boolean;
}

export interface Services {
  /** Of the children's agents; undefined in a pod that has no children, or serves no HTTP. */
  readonly links: ParentLinks | undefined;
  readonly close: () => void;
}

/** By then all is loaded that each pod needs: a change of V8's flags costs Node.js the code cache of its modules, and 10 ms by itself. */
const saveMemoryAfterMs = 10_000;

/** Starts all of them. One that cannot start is an error of the log, and costs neither the others nor the broker. */
export async function startServices(options: ServicesOptions): Promise<Services> {
  const { configuration, membership, agentSocket: socketPath, health, connection, controllers } = options;
  const { hold, api, log } = options;
  await log.open();
  const { saveMemory } = await import('./save-memory.ts');
  // The API is worth a compiler.
  const cancelSaving = after(saveMemoryAfterMs, () => saveMemory({ compiles: configuration.api !== 'off' }));
  const life = new AbortController();
  const links = membership && configuration.http !== 'off' ? await linksOf(membership) : undefined;
  const demand =
    membership && controllers?.isElastic ? await demandOf(membership, controllers, health, log) : undefined;
  const extensions = [
    links?.extension,
    membership && controllers && (await controllerLinksOf(membership, controllers, demand, life.signal, log)),
  ].filter((extension) => extension !== undefined);
  const server = await health
    .serve({
      http: configuration.http,
      socketPath,
      extension: (...request) => extensions.some((serves: Extension) => serves(...request)),
      pulse: connection.pulse,
      jobStates: async () => (connection.leads() ? jobStates(connection.client()) : undefined),
      hold,
      log,
    })
    .catch((error: unknown) => log('error', 'Cannot serve probes and status', { why: String(error) }));
  await api?.serve({ demand: () => demand?.last() });
  return {
    links,
    close: () => {
      life.abort();
      cancelSaving();
      demand?.close();
      server?.close();
      api?.close();
    },
  };
}

async function linksOf(membership: Membership): Promise<ParentLinks | undefined> {
  const { rank, tree } = membership;
  if (tree.childrenOf(rank).length === 0) return undefined;
  const { createParentLinks } = await import('../../parent-link/parent-end.ts');
  return createParentLinks(membership);
}

async function demandOf(
  { size }: Membership,
  { socket }: ControllerAccess,
  { podState }: Health,
  log: Log,
): Promise<FollowedDemand> {
  const [{ followDemand }, { watchQueue }] = await Promise.all([
    import('./follow-demand.ts'),
    import('../../demand/watch-queue.ts'),
  ]);
  return followDemand({ size, connect: connectTo(socket), podState, watch: watchQueue, log });
}

async function controllerLinksOf(
  { size }: Membership,
  { key, socket, isElastic }: ControllerAccess,
  demand: FollowedDemand | undefined,
  life: AbortSignal,
  log: Log,
): Promise<Extension> {
  const { createControllerLinks } = await import('../../controller-link/leader-end.ts');
  const connect = connectTo(socket);
  const freeRanks = isElastic ? await freeRanksOf(size, connect, life, log) : undefined;
  return createControllerLinks({
    key: await key(),
    size,
    keep: freeRanks?.keep,
    watch: async (onChange, signal) => {
      freeRanks?.watch(onChange, signal);
      demand?.listen((now) => onChange({ demand: now && reportOf(now) }), signal);
      const { watchInstance } = await import('../../controller-link/watch-instance.ts');
      watchInstance({ connect, onChange, signal, log });
    },
  });
}

async function freeRanksOf(
  size: number,
  connect: Connect,
  signal: AbortSignal,
  log: Log,
): Promise<FreeRanks> {
  const { createFreeRanks } = await import('../../instance/free-ranks.ts');
  return createFreeRanks({ size, connect, signal, log });
}

const connectTo = (socket: string) => async (how: ConnectOptions) => {
  const { connectFlux } = await import('../../flux/client.ts');
  return connectFlux(socket, how);
};

/** A line of a link has room for so many. */
const mostUnfit = 4;
const reportOf = ({ unfit, ...demand }: Demand) => ({ ...demand, unfit: unfit.slice(0, mostUnfit) });

const answerWithinMs = 250;

/** The leader's jobs by state. */
async function jobStates(client: FluxClient | undefined) {
  if (!client) return undefined;
  const { getJobStats } = await import('../../flux/services/job-list.ts');
  try {
    const { total: _, ...states } = (await getJobStats(client, { timeoutMs: answerWithinMs })).job_states;
    return states;
  } catch {
    return undefined; // the job-list module is not loaded yet, or no longer
  }
}
