import { type AwaitOptions, awaitParent, type Found } from '../../../agent/dns/await-parent.ts';
import { isSame, type WaitReason } from '../../../agent/dns/wait/wait-reason.ts';
import { type VirtualCluster, type VirtualDns, virtualCluster } from './virtual-cluster.ts';
import { type VirtualTime, virtualTime } from './virtual-time.ts';

export const parentName = 'mc-0.flux-service.default.svc.cluster.local';

/** A cluster in which pods wait for mc-0, and a clock to be run. */
export interface VirtualWorld {
  readonly time: VirtualTime;
  readonly cluster: VirtualCluster;
  /** Starts waiting now, as the pod of that rank. */
  readonly wait: (more?: Partial<AwaitOptions>) => VirtualWait;
}

export interface VirtualWait {
  readonly found: Promise<Found>;
  /** When it was found, by the virtual clock; Infinity: not yet. */
  readonly foundAt: () => number;
  /** The wait reasons, each once: `name: no such name`. */
  readonly met: string[];
  readonly reasons: WaitReason[];
}

export function virtualWorld(dns: VirtualDns = {}): VirtualWorld {
  const time = virtualTime();
  const random = dns.random ?? seeded(1);
  const cluster = virtualCluster(time, { ...dns, random });
  const wait = (more: Partial<AwaitOptions> = {}): VirtualWait => {
    let foundAt = Number.POSITIVE_INFINITY;
    const met: string[] = [];
    const reasons: WaitReason[] = [];
    const found = awaitParent(
      { host: parentName, port: 8050 },
      {
        nameservers: [],
        family: 4,
        size: 4,
        rank: 1,
        signal: new AbortController().signal,
        network: cluster,
        clock: time,
        random,
        onReason: (reason) => {
          if (!isSame(reason, reasons.at(-1))) met.push(`${reason.waitingFor}: ${reason.seen}`);
          reasons.push(reason);
        },
        ...more,
      },
    );
    found.then(
      () => {
        foundAt = time.now();
      },
      () => undefined,
    );
    return { found, foundAt: () => foundAt, met, reasons };
  };
  return { time, cluster, wait };
}

/** The same numbers from 0 to 1 each time (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
