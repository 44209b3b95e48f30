/** The Events of a change of status: the life of a MiniCluster as `kubectl describe` tells it. Pure. */
import { isTrue } from './conditions.ts';
import type { MiniClusterStatus } from './minicluster-status.ts';

export interface StoryEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
}

/** What is an Event when it begins to hold. */
const turns = [
  { condition: 'Ready', type: 'Normal', reason: 'Ready' },
  { condition: 'Suspended', type: 'Normal', reason: 'Suspended' },
  { condition: 'Succeeded', type: 'Normal', reason: 'Succeeded' },
  { condition: 'Failed', type: 'Warning', reason: 'Failed' },
] as const;

export function eventsBetween(before: MiniClusterStatus | undefined, after: MiniClusterStatus): StoryEvent[] {
  const messageOf = (type: string) => after.conditions.find((each) => each.type === type)?.message ?? '';
  const began = turns
    .filter(({ condition }) => isTrue(after.conditions, condition) && !isTrue(before?.conditions, condition))
    .map(({ condition, type, reason }) => ({ type, reason, note: messageOf(condition) }));
  return [...began, ...complaints(before, after)];
}

/** Valid and UpToDate, each time when they are false for another reason. */
function complaints(before: MiniClusterStatus | undefined, after: MiniClusterStatus): StoryEvent[] {
  return ['Valid', 'UpToDate'].flatMap((type): StoryEvent[] => {
    const condition = after.conditions.find((each) => each.type === type);
    const earlier = before?.conditions.find((each) => each.type === type);
    if (condition?.status !== 'False') return [];
    if (earlier?.status === 'False' && earlier.message === condition.message) return [];
    // An invalid one is not up to date either: one Event says so.
    if (type === 'UpToDate' && condition.reason === 'InvalidSpec') return [];
    return [{ type: 'Warning', reason: condition.reason, note: condition.message }];
  });
}
