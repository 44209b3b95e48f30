import { parse, stringify, type TomlTable } from 'smol-toml';
import { dropOwned } from '../../../agent/broker/broker-toml.ts';
import type { Cluster } from '../minicluster/cluster.ts';

/**
 * The file for FLUX_POD_BROKER_CONFIG: what the MiniCluster wants of the broker beyond what flux-pod writes itself. Keys that
 * flux-pod owns are left out with a warning: flux-pod writes the hosts itself, and refuses a file that has them. Undefined where nothing is left.
 */
export function brokerTomlOf({ spec, warn }: Cluster): string | undefined {
  const { brokerConfig, scheduler } = spec.flux ?? {};
  const table = brokerConfig ? parse(brokerConfig) : {};
  for (const { key, setting } of dropOwned(table))
    warn('spec.flux.brokerConfig', `${key} is left out: flux-pod writes it itself (${setting})`);
  const policy: TomlTable = scheduler?.queuePolicy
    ? { 'sched-fluxion-qmanager': { 'queue-policy': scheduler.queuePolicy } }
    : {};
  const whole = { ...table, ...policy };
  return Object.keys(whole).length > 0 ? stringify(whole) : undefined;
}
