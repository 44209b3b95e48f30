/** Leaders without a network: they report what a test says, and free ranks as they are asked. */
import type { InstanceFacts } from '../../../agent/controller-link/report.ts';
import type { Leaders, LeadersOptions } from '../../../controller/leader-link/leaders.ts';

/** Of their pods: addresses for documentation (RFC 5737). */
export const podIP = '192.0.2.1';

export type Demand = NonNullable<InstanceFacts['demand']>;

export const demandOf = (wanted: number, more: Partial<Demand> = {}): Demand => ({
  ...{ wanted, busy: 0, idle: 0, active: 0, unfit: [], unfitCount: 0 },
  ...more,
});

/** Of one MiniCluster, hpc/mc. */
export function createFakeLeaders({ max = 8 } = {}) {
  const listeners = new Set<() => void>();
  const asked: number[] = [];
  let facts: InstanceFacts | undefined;
  let busy = 0;
  const tell = () => {
    for (const listener of listeners) listener();
  };
  const create = ({ onChange }: LeadersOptions): Leaders => {
    let followed = '';
    const listener = () => {
      if (followed !== '') onChange(followed);
    };
    let last: number | undefined;
    listeners.add(listener);
    return {
      follow: (key, target) => {
        followed = key;
        return target && facts;
      },
      keep: (_, size) => {
        if (size === last) return;
        last = size;
        asked.push(size);
        free();
      },
      close: () => void listeners.delete(listener),
    };
  };
  /** As the leader would report it now. */
  function free(): void {
    const keep = asked.at(-1) ?? max;
    const isFree = keep < max && busy <= keep;
    if (!facts || facts.freed === (isFree ? keep : undefined)) return;
    const { freed: _, ...rest } = facts;
    facts = { ...rest, ...(isFree && { freed: keep }) };
    tell();
  }
  return {
    create,
    /** Flux has so many active jobs. */
    reportJobs: (running: number) => {
      facts = { brokersOnline: 2, ...facts, jobs: { pending: 0, running, inactive: 3 } };
      tell();
    },
    /** What it was asked to keep, in that order. */
    asked,
    /** The queue is another one; undefined: there is no report any more. */
    report: (demand: Demand | undefined, brokersOnline = 2) => {
      busy = demand?.busy ?? 0;
      facts = demand && { ...facts, brokersOnline, demand };
      tell();
      free();
    },
  };
}
