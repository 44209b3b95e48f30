/** `flux-pod status` for people: the status of the agent and of its broker, as lines. Data in, text out. */
import { formatIdset, parseIdset } from '../../agent/cluster/idset.ts';
import { isShrinkReason } from '../../agent/flux/drain-reasons.ts';
import { countResources, type ResourceStatus } from '../../agent/flux/services/resource.ts';
import type { Status } from '../../agent/health/status.ts';
import { printable } from '../../agent/printable.ts';
import { drawOverlayTree, type OverlayNode } from './overlay-tree.ts';

export interface FullStatus extends Status {
  readonly overlay?: OverlayNode;
  readonly resources?: ResourceStatus;
}

export function statusTable(status: FullStatus, now: number = Date.now()): string {
  const rows: [string, string][] = [];
  const row = (name: string, ...words: (string | undefined)[]) =>
    void rows.push([name, words.filter((word) => word !== undefined && word !== '').join(', ')]);
  const { pod, phase, attachment, instance, parent, broker, waiting, probes } = status;
  const { demand, overlay, resources, lastError } = status;
  const ago = (time: string) => duration(now - Date.parse(time));

  row('pod', pod.name, pod.address, `up ${ago(pod.startedAt)}`);
  row('phase', `${phase.name} for ${ago(phase.since)}`, status.stoppedBy && `stopping: ${status.stoppedBy}`);
  if (attachment) row('attached to', attachment.socket ?? attachment.sockets.join(' or '));
  if (attachment?.obstacle) row('waiting for', 'a broker', `seen: ${attachment.obstacle}`);
  if (instance)
    row(
      'instance',
      `rank ${instance.rank} of ${instance.size}`,
      `quorum ${instance.quorum}`,
      `topology ${instance.topology}`,
    );
  if (parent)
    row(
      'parent',
      `rank ${parent.rank}, ${parent.name}`,
      parent.address,
      parent.lost ? 'LOST: no heartbeat' : undefined,
    );
  if (waiting) row('waiting for', `the parent's ${waiting.waitingFor}`, `seen: ${waiting.seen}`);
  if (broker) {
    const since = broker.states.at(-1)?.since;
    row(
      'broker',
      `${broker.state}${since ? ` for ${ago(since)}` : ''}`,
      broker.answers || broker.state === 'exit' ? undefined : 'DOES NOT ANSWER',
      `pid ${broker.pid}`,
      broker.flux,
      broker.restarts > 0 ? `${broker.restarts} restarts` : undefined,
      broker.online === undefined ? undefined : `${broker.online} brokers online`,
    );
    row('states', broker.states.map(({ name }) => name).join(' '));
  }
  for (const [probe, { ok, why }] of Object.entries(probes)) row(probe, `${ok ? 'yes' : 'NO'}: ${why}`);
  if (demand) {
    const { wanted, reason, busy, idle, unfit, unfitCount } = demand;
    row(
      'demand',
      `${wanted} brokers wanted`,
      reason,
      busy > 0 ? `jobs up to rank ${busy - 1}` : 'no jobs run',
      `${idle} idle`,
    );
    for (const { id, why } of unfit) row('unfit', `job ${id} can never run: ${why}`);
    if (unfitCount > unfit.length) row('unfit', `and ${unfitCount - unfit.length} jobs more`);
  }
  if (resources) row('resources', ...describeResources(resources));
  if (overlay && instance) {
    const [first = '', ...rest] = drawOverlayTree(overlay, instance.hosts);
    row('overlay', first);
    for (const line of rest) rows.push(['', line]);
  }
  if (lastError) row('last error', lastError.what, `${ago(lastError.at)} ago`);
  for (const { at, what } of status.remarks) row('warning', what, `${ago(at)} ago`);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${printable(text)}\n`).join('');
}

function describeResources({ R, drain, offline, torpid, exclude }: ResourceStatus): string[] {
  const { nodes, cores, gpus } = countResources(R);
  // Their pods have gone with the size, as they were to.
  const isGone = (ranks: readonly number[], reason: string) =>
    isShrinkReason(reason) && ranks.every((rank) => offline.includes(rank));
  const some = (name: string, ranks: readonly number[]) =>
    ranks.length > 0 ? [`${name} ${formatIdset(ranks)}`] : [];
  return [
    `${nodes} nodes`,
    `${cores} cores`,
    `${gpus} GPUs`,
    ...some('offline', offline),
    ...some('torpid', torpid),
    ...some('excluded', exclude),
    ...Object.entries(drain)
      .filter(([ranks, { reason }]) => !isGone(parseIdset(ranks), reason))
      .map(([ranks, { reason }]) => `drained ${ranks}${reason ? ` (${reason})` : ''}`),
  ];
}

/** `42 s`, `3 min 5 s`, `2 h 10 min`. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
