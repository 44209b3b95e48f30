/** Which nodes and cores there are, and resource.status and resource.sched-status, which report them (RFC 20). */
import { formatHostlist } from '../../../../agent/cluster/hostlist.ts';
import { formatIdset } from '../../../../agent/cluster/idset.ts';
import type { JsonObject } from '../../../../agent/flux/payload.ts';
import type { BrokerConfig } from '../broker-options.ts';
import type { Router } from '../message-router.ts';

/** Some ranks, and the same number of cores on each. */
export interface Placement {
  readonly ranks: readonly number[];
  readonly hosts: readonly string[];
  readonly nodelist: string;
  readonly cores: string;
  /** `rank[0-2]/core0` */
  readonly summary: string;
}

export function place({ hosts: all }: BrokerConfig, ranks: readonly number[], cores: number): Placement {
  const hosts = ranks.map((rank) => all[rank] ?? '');
  const ids = formatIdset(Array.from({ length: cores }, (_, core) => core));
  const bracketed = (name: string, idset: string) => `${name}${/^\d+$/.test(idset) ? idset : `[${idset}]`}`;
  return {
    ranks,
    hosts,
    nodelist: formatHostlist(hosts),
    cores: ids,
    summary: `${bracketed('rank', formatIdset(ranks))}/${bracketed('core', ids)}`,
  };
}

/** `slots` is in the R of a job only. */
export const resourceSet = ({ ranks, nodelist, cores }: Placement, slots?: number): JsonObject => ({
  version: 1,
  execution: {
    R_lite: ranks.length === 0 ? [] : [{ rank: formatIdset(ranks), children: { core: cores } }],
    starttime: 0,
    expiration: 0,
    ...(slots !== undefined && { nslots: slots }),
    nodelist: [nodelist],
  },
});

/** On rank 0. `allocated` gives the ranks that jobs run on now. */
export function serveResources(
  config: BrokerConfig,
  router: Router,
  online: ReadonlySet<number>,
  allocated: () => readonly number[],
): void {
  const all = config.hosts.map((_, rank) => rank);
  const offline = () => all.filter((rank) => !online.has(rank));
  const setOf = (ranks: readonly number[], cores = config.cores) => resourceSet(place(config, ranks, cores));
  router.serve('resource.status', ({ respond }) =>
    respond({
      R: setOf(all),
      drain: {},
      online: formatIdset(online),
      offline: formatIdset(offline()),
      exclude: '',
      torpid: '',
    }),
  );
  router.serve('resource.sched-status', ({ respond }) =>
    respond({ all: setOf(all), down: setOf(offline()), allocated: setOf(allocated(), 1) }),
  );
}
