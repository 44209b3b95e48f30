/** Conditions as the Kubernetes API conventions have them (sig-architecture/api-conventions.md, "Typical status properties"). */

export type ConditionStatus = 'True' | 'False' | 'Unknown';

export interface Condition {
  readonly type: string;
  readonly status: ConditionStatus;
  /** CamelCase, for programs. */
  readonly reason: string;
  /** A sentence, for people. */
  readonly message: string;
  /** The generation of the MiniCluster that the condition is about. */
  readonly observedGeneration: number;
  /** When `status` last changed, RFC 3339. */
  readonly lastTransitionTime: string;
}

export type NewCondition = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

/** The API server refuses longer messages (CRD, maxLength 32768). */
const longestMessage = 32_768;

/** The conditions of now: an unchanged status keeps its transition time. Types that are not in `next` are kept as they were. */
export function mergeConditions(
  previous: readonly Condition[],
  next: readonly NewCondition[],
  { generation, now }: { readonly generation: number; readonly now: string },
): Condition[] {
  const kept = previous.filter(({ type }) => !next.some((condition) => condition.type === type));
  const merged = next.map((condition): Condition => {
    const before = previous.find(({ type }) => type === condition.type);
    return {
      ...condition,
      message: condition.message.slice(0, longestMessage),
      observedGeneration: generation,
      lastTransitionTime: before?.status === condition.status ? before.lastTransitionTime : now,
    };
  });
  return [...merged, ...kept];
}

export const isTrue = (
  conditions: readonly { readonly type: string; readonly status: string }[] | undefined,
  type: string,
): boolean =>
  conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
