import { readFileSync } from 'node:fs';
import { parse, type TomlTable } from 'smol-toml';
import type { HostPort } from '../../address.ts';
import type { Configuration } from '../../config/configuration.ts';
import { tomlFault } from '../../config/toml-fault.ts';
import { ExitCode, PodError } from '../../errors.ts';
import { operatorPaths } from '../../pod/operator-paths.ts';
import { isElastic } from '../elastic.ts';
import type { Membership } from '../membership.ts';
import { brokerTable, conflictsWith, dropOwned, formatToml, mergeTables } from './broker-toml.ts';
import { offeredResources } from './offered-resources.ts';

/** Hosts from which on the leader gets more I/O threads (flux-core issue 6806). */
const manyHosts = 256;

/**
 * The text of this pod's broker.toml, the user's file (FLUX_POD_BROKER_CONFIG) merged in. `parentAddress` is the address at which the
 * parent listens; without it the broker would resolve the parent's name itself.
 * Throws a PodError (exit 78) where the user's file cannot be read, is no TOML, or has a key that flux-pod must own.
 */
export function brokerConfig(
  configuration: Configuration,
  membership: Membership,
  curveCert: string,
  parentAddress?: HostPort,
  scheduler?: string,
): string {
  const { rank, size, hostlist, dnsSuffix, parent } = membership;
  const ours = brokerTable({
    hostlist,
    dnsSuffix,
    address: configuration.address,
    port: configuration.port,
    curveCert: size > 1 ? curveCert : undefined,
    topo: configuration.topo,
    zmqIoThreads: rank === 0 && size > manyHosts ? 4 : undefined,
    parent:
      parent && parentAddress
        ? { host: parent.host, address: parentAddress.host, port: parentAddress.port }
        : undefined,
    hostsAreHostnames: membership.hostIsHostname,
    offered: offeredResources(configuration),
    keepsState: rank === 0 && configuration.stateDir !== undefined,
    lowRanks: rank === 0 && isElastic(configuration) ? { module: scheduler } : undefined,
  });
  return formatToml(
    configuration.brokerConfig === undefined ? ours : withUserTable(ours, configuration.brokerConfig),
  );
}

const hintFor = (path: string): string =>
  path === operatorPaths.brokerToml
    ? 'The Flux Operator has written it. FLUX_POD_BROKER_CONFIG=/dev/null ignores it.'
    : 'It must be a TOML file as in flux-config(5).';

function withUserTable(ours: TomlTable, path: string): TomlTable {
  const refuse = (why: string, hint: string) =>
    new PodError(ExitCode.configuration, `Cannot use FLUX_POD_BROKER_CONFIG="${path}": ${why}`, { hint });
  let user: TomlTable;
  try {
    user = parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw refuse(tomlFault(error), hintFor(path));
  }
  // The Flux Operator writes its file for its own script: keys that flux-pod owns are ignored.
  if (path === operatorPaths.brokerToml) dropOwned(user);
  const conflicts = conflictsWith(user, ours);
  if (conflicts.length === 0) return mergeTables(ours, user);
  const list = conflicts.map(({ key, setting }) => `${key} (use ${setting})`).join('; ');
  throw refuse(`flux-pod itself writes ${list}`, 'Take these keys out of the file.');
}
