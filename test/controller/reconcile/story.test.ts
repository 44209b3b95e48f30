import { describe, expect, it } from 'vitest';
import type { MiniClusterStatus } from '../../../controller/reconcile/minicluster-status.ts';
import { eventsBetween } from '../../../controller/reconcile/story.ts';

const status = (generation: number): MiniClusterStatus => ({
  jobid: '',
  maximumSize: 1,
  selector: '',
  size: 1,
  state: 'Pending',
  brokersOnline: 0,
  observedGeneration: generation,
  conditions: [
    {
      type: 'Valid',
      status: 'True',
      reason: 'Valid',
      message: '',
      observedGeneration: generation,
      lastTransitionTime: '2026-11-26T10:00:00Z',
    },
  ],
});

describe('warnings of the rendering', () => {
  const warnings = ['spec.flux.arch is not used', 'spec.flux.wrap is not used'];
  const notes = (before: MiniClusterStatus | undefined, after: MiniClusterStatus, given = warnings) =>
    eventsBetween(before, after, given).map(({ type, reason, note }) => `${type} ${reason}: ${note}`);

  it.each([
    ['for a MiniCluster that is new', undefined],
    ['for another generation', status(1)],
  ])('are one Event each %s', (_, before) => {
    expect(notes(before, status(2))).toEqual([
      'Warning FieldWarning: spec.flux.arch is not used',
      'Warning FieldWarning: spec.flux.wrap is not used',
    ]);
  });

  it('are none for the generation that the status is about already', () => {
    expect(notes(status(2), { ...status(2), brokersOnline: 1 })).toEqual([]);
  });

  it('are at most twenty, and then say how many more there are', () => {
    const many = Array.from({ length: 23 }, (_, index) => `spec.containers[${index}] is odd`);
    expect(notes(undefined, status(1), many)).toHaveLength(21);
    expect(notes(undefined, status(1), many).at(-1)).toBe(
      'Warning FieldWarning: 3 more warnings: `flux-pod render` prints all of them.',
    );
  });
});
