/** `/status`: all that the agent knows, as JSON. Nothing in it is a secret. */

import { formatHostlist } from '../cluster/hostlist.ts';
import type { Configuration } from '../config/configuration.ts';
import { instant } from '../instant.ts';
import { firstLabel, parsePodHostname } from '../pod/identity.ts';
import { answers, type Observations, parentSilentSince, phaseOf, stateOf } from './observations.ts';
import { judge, probes } from './verdict.ts';

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();

export function statusOf(observations: Observations, now: number = instant()) {
  const { configuration, attachment, membership, broker, obstacle, parentAddress } = observations;
  const phase = phaseOf(observations);
  const state = stateOf(broker);
  return {
    pod: {
      name: podName(configuration, attachment !== undefined),
      // A broker that somebody else has started may be in any pod.
      ...((!attachment || parsePodHostname(configuration.hostname)) && {
        cluster: configuration.cluster,
        index: configuration.index,
      }),
      address: configuration.address,
      hostname: configuration.hostname,
      startedAt: iso(observations.startedAt),
    },
    phase: { name: phase.phase, since: iso(phase.since) },
    phases: observations.phases.map(({ phase: name, since }) => ({ name, since: iso(since) })),
    probes: Object.fromEntries(probes.map((probe) => [probe, judge(probe, observations, now)])),
    ...(attachment && {
      attachment: {
        sockets: attachment.sockets,
        ...(attachment.socket && { socket: attachment.socket }),
        ...(phase.phase === 'await-broker' && { obstacle: attachment.obstacle }),
      },
    }),
    ...(membership && {
      instance: {
        rank: membership.rank,
        size: membership.size,
        quorum: configuration.minSize,
        topology: configuration.topo,
        hosts: membership.hostlist,
        children: membership.tree.childrenOf(membership.rank).length,
      },
    }),
    ...(membership?.parent && {
      parent: {
        rank: membership.parent.rank,
        host: membership.parent.host,
        name: membership.parent.target.host,
        ...(parentAddress && { address: `${parentAddress.host}:${parentAddress.port}` }),
        lost: parentSilentSince(broker, now) !== undefined,
      },
    }),
    ...(obstacle && phase.phase === 'await-parent' && { waiting: obstacle }),
    ...(broker && {
      broker: {
        pid: broker.pid,
        flux: observations.flux,
        startedAt: iso(broker.startedAt),
        restarts: observations.brokersStarted - 1,
        state: state ?? 'starting',
        states: broker.states.map(({ state: name, since }) => ({ name, since: iso(since) })),
        answers: answers(broker),
        ...(broker.overlay && { overlay: broker.overlay }),
        ...(broker.online && { online: broker.online.length }),
      },
    }),
    ...(observations.stoppedBy && { stoppedBy: observations.stoppedBy }),
    ...(observations.held && { held: true }),
    ...(observations.lastError && {
      lastError: { at: iso(observations.lastError.at), what: observations.lastError.what },
    }),
    remarks: observations.remarks.map(({ at, what }) => ({ at: iso(at), what })),
  };
}

const podName = ({ cluster, index, hostname }: Configuration, attached: boolean): string =>
  attached ? firstLabel(hostname) : `${cluster}-${index}`;

export type Status = ReturnType<typeof statusOf>;

/** Hosts of ranks, folded: `mc-[0-3,7]`. */
export const hostsOf = (ranks: readonly number[], hostOf: (rank: number) => string): string =>
  formatHostlist(ranks.map(hostOf));
