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

/** `warnings`: of the rendering. They are Events of a generation, whose number in the status outlives a restart of the controller. */
export function eventsBetween(
  before: MiniClusterStatus | undefined,
  after: MiniClusterStatus,
  warnings: readonly string[] = [],
): StoryEvent[] {
  const messageOf = (type: string) => after.conditions.find((each) => each.type === type)?.message ?? '';
  const began = turns
    .filter(({ condition }) => isTrue(after.conditions, condition) && !isTrue(before?.conditions, condition))
    .map(({ condition, type, reason }) => ({ type, reason, note: messageOf(condition) }));
  const isNews = generationOf(before) !== generationOf(after);
  return [...(isNews ? warningEvents(warnings) : []), ...began, ...complaints(before, after)];
}

/** Of a condition, because the Operator's CRD has no observedGeneration beside them. */
const generationOf = (status: MiniClusterStatus | undefined): number | undefined =>
  status?.conditions.find(({ type }) => type === 'Valid')?.observedGeneration;

/** More would fill `kubectl describe`, and a MiniCluster with many containers makes many. */
const mostWarnings = 20;

function warningEvents(warnings: readonly string[]): StoryEvent[] {
  const more = warnings.length - mostWarnings;
  const notes = [
    ...warnings.slice(0, mostWarnings),
    ...(more > 0 ? [`${more} more warnings: \`flux-pod render\` prints all of them.`] : []),
  ];
  return notes.map((note) => ({ type: 'Warning', reason: 'FieldWarning', note }));
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
