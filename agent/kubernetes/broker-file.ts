import { parse, stringify, type TomlTable } from 'smol-toml';
import { conflictsWith } from '../broker/broker-toml.ts';
import type { Cluster } from './cluster.ts';

/**
 * The file for FLUX_POD_BROKER_CONFIG: what the MiniCluster wants of the broker beyond what flux-pod writes itself. Keys that
 * flux-pod owns are left out with a warning: it knows the hosts, and refuses a file that has them. Undefined where nothing is left.
 */
export function brokerTomlOf({ spec, warn }: Cluster): string | undefined {
  const { brokerConfig, scheduler } = spec.flux ?? {};
  const table = brokerConfig ? parse(brokerConfig) : {};
  // All at once says too little: a table that has lost its owned keys may be owned itself.
  for (let round = 0; round < 2; round++) {
    for (const { key, setting } of conflictsWith(table, { resource: {} })) {
      warn('spec.flux.brokerConfig', `${key} is left out: flux-pod writes it itself (${setting})`);
      remove(table, key.split('.'));
    }
  }
  const policy: TomlTable = scheduler?.queuePolicy
    ? { 'sched-fluxion-qmanager': { 'queue-policy': scheduler.queuePolicy } }
    : {};
  const whole = { ...table, ...policy };
  return Object.keys(whole).length > 0 ? stringify(whole) : undefined;
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

const isTable = (value: unknown): value is TomlTable =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
