/** Writes broker.toml: flux-config-bootstrap(5), flux-config-tbon(5), flux-config-resource(5). Data in, text out. */
import { stringify, type TomlTable } from 'smol-toml';
import { bracketed, isIPv6 } from '../../address.ts';
import { lowRanksTable } from './low-ranks.ts';

export interface BrokerTomlInput {
  /** All hosts in rank order, RFC 29. */
  readonly hostlist: string;
  /** The suffix that makes a host of the list a name in DNS, such as `.flux-service.default.svc.cluster.local`. */
  readonly dnsSuffix: string;
  /** This pod's own address: the broker binds to it. */
  readonly address: string;
  readonly port: number;
  /** The private copy of the certificate; undefined for a single broker. */
  readonly curveCert: string | undefined;
  readonly topo: string;
  /** The broker's I/O threads where rank 0 has many peers. */
  readonly zmqIoThreads: number | undefined;
  /**
   * The parent's entry in the list and the address at which it listens. A broker connects to its parent only, and with that address
   * libzmq sends no DNS queries.
   */
  readonly parent: { readonly host: string; readonly address: string; readonly port: number } | undefined;
  readonly offered: OfferedResources;
  /** The leader has a state directory, whose content must survive SIGKILL. */
  readonly keepsState: boolean;
  /** New jobs get the lowest ranks, by this module for Flux's own scheduler, where there is one. */
  readonly lowRanks: { readonly module: string | undefined } | undefined;
  /** False where the hosts of the list differ from what gethostname(2) returns in the pods. */
  readonly hostsAreHostnames: boolean;
}

/** The resources of every host; undefined leaves the discovery to Flux. */
export type OfferedResources =
  | { readonly cores: number; readonly gpus: number }
  | { readonly path: string }
  | undefined;

/** A SYN that is lost before a pod's route is programmed must not cost libzmq's 30 s. */
const connectTimeout = '5s';
/** A leader that is killed loses this much of the job queue at most. */
const checkpointPeriod = '5s';

export function brokerTable(input: BrokerTomlInput): TomlTable {
  const { hostlist, dnsSuffix, address, port, parent } = input;
  return {
    bootstrap: {
      ...(input.curveCert !== undefined && { curve_cert: input.curveCert }),
      ...(isIPv6(address) && { enable_ipv6: true }),
      default_port: port,
      default_bind: `tcp://${bracketed(address)}:%p`,
      default_connect: `tcp://%h${dnsSuffix}:%p`,
      hosts: [
        { host: hostlist },
        // Flux merges a later entry of the same host into the earlier one, and keeps the ranks.
        ...(parent
          ? [{ host: parent.host, connect: `tcp://${bracketed(parent.address)}:${parent.port}` }]
          : []),
      ],
    },
    tbon: {
      topo: input.topo,
      connect_timeout: connectTimeout,
      ...(input.zmqIoThreads !== undefined && { zmq_io_threads: input.zmqIoThreads }),
    },
    // Without checkpoints the job queue is saved by an orderly shutdown only (flux-config-kvs(5)).
    ...(input.keepsState && { kvs: { 'checkpoint-period': checkpointPeriod } }),
    ...(input.lowRanks && lowRanksTable(input.lowRanks.module)),
    ...(input.offered && {
      resource: {
        ...resourceTable(input.offered, hostlist),
        // Flux drains a node whose hostname is not the one in R, even with `-Shostname`.
        ...(!input.hostsAreHostnames && { noverify: true }),
      },
    }),
  };
}

export const formatToml = (table: TomlTable): string => stringify(table);

function resourceTable(offered: NonNullable<OfferedResources>, hostlist: string): TomlTable {
  if ('path' in offered) return { path: offered.path };
  const { cores, gpus } = offered;
  return {
    config: [{ hosts: hostlist, cores: idsBelow(cores), ...(gpus > 0 && { gpus: idsBelow(gpus) }) }],
  };
}

const idsBelow = (count: number): string => (count === 1 ? '0' : `0-${count - 1}`);

/** The keys of broker.toml that flux-pod must own, each with the setting to use instead. */
const owned: readonly (readonly [path: string, setting: string])[] = [
  ['bootstrap.curve_cert', 'FLUX_POD_CURVE_CERT'],
  ['bootstrap.default_port', 'FLUX_POD_PORT'],
  ['bootstrap.default_bind', 'FLUX_POD_INTERFACE or FLUX_POD_ADDRESS'],
  ['bootstrap.default_connect', 'FLUX_POD_SERVICE, FLUX_POD_NAMESPACE and FLUX_POD_DOMAIN'],
  ['bootstrap.hosts', 'FLUX_POD_HOSTS, FLUX_POD_CLUSTER and FLUX_POD_MAX_SIZE'],
  ['bootstrap.enable_ipv6', 'FLUX_POD_ADDRESS'],
  ['bootstrap', 'FLUX_POD_CLUSTER, FLUX_POD_MAX_SIZE and FLUX_POD_PORT'],
  ['tbon.topo', 'FLUX_POD_TOPO'],
  ['resource.config', 'FLUX_POD_RESOURCES'],
  ['resource.path', 'FLUX_POD_RESOURCES'],
];

/**
 * Keys of the user's table that flux-pod owns, each with the setting to use instead. `resource` is the user's as long
 * as flux-pod would not have written it.
 */
export function conflictsWith(user: TomlTable, ours: TomlTable): { key: string; setting: string }[] {
  const conflicts: { key: string; setting: string }[] = [];
  for (const [path, setting] of owned) {
    const [section = '', key] = path.split('.');
    const table = user[section];
    const present = key === undefined ? table !== undefined : isTable(table) && key in table;
    const isListed = conflicts.some((conflict) => conflict.key.startsWith(path));
    const free = section === 'resource' && !('resource' in ours);
    if (present && !isListed && !free) conflicts.push({ key: path, setting });
  }
  return conflicts;
}

/**
 * Removes the keys that flux-pod owns from a table that was not written for it, `resource` as if flux-pod always wrote it. Returns the
 * removed keys.
 */
export function dropOwned(table: TomlTable): { key: string; setting: string }[] {
  const dropped: { key: string; setting: string }[] = [];
  // Twice: a table without its owned keys may be owned itself.
  for (let round = 0; round < 2; round++) {
    for (const conflict of conflictsWith(table, { resource: {} })) {
      dropped.push(conflict);
      remove(table, conflict.key.split('.'));
    }
  }
  return dropped;
}

/** Removes a key, and the table around it when that was its last. */
function remove(table: TomlTable, [section = '', key]: readonly string[]): void {
  const inner = table[section];
  if (key !== undefined && isTable(inner)) {
    delete inner[key];
    if (Object.keys(inner).length > 0) return;
  }
  delete table[section];
}

/** The user's table added to ours, table by table. There is no conflict: those were refused before. */
export function mergeTables(ours: TomlTable, user: TomlTable): TomlTable {
  const merged: TomlTable = { ...ours };
  for (const [key, value] of Object.entries(user)) {
    const own = merged[key];
    merged[key] = isTable(own) && isTable(value) ? mergeTables(own, value) : value;
  }
  return merged;
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
