/** The reasons of the drains that are flux-pod's own. What a user has drained has another one, and is never undone. */
import { parseIdset } from '../cluster/idset.ts';
import type { ResourceStatus } from '../flux/services/resource.ts';

/** Of a node that its own agent has drained: the next broker there takes jobs again. */
export const stoppingReason = 'flux-pod: the pod is stopping';

const shrinks = 'flux-pod: the size shrinks to ';
export const shrinkReason = (size: number): string => `${shrinks}${size}`;
export const isShrinkReason = (reason: string): boolean => reason.startsWith(shrinks);

/** The drained ranks, each with its reason. */
export const drainedRanks = ({ drain }: Pick<ResourceStatus, 'drain'>): { rank: number; reason: string }[] =>
  Object.entries(drain).flatMap(([ranks, { reason }]) => parseIdset(ranks).map((rank) => ({ rank, reason })));
