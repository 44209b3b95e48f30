import { describe, expect, it } from 'vitest';
import { createQueueState, type QueueState } from '../../agent/demand/queue-state.ts';
import type { JournalEntry } from '../../agent/flux/services/eventlog/job-journal.ts';

const jobspec = (nodes: number, system: object = {}) => ({
  version: 1,
  resources: [
    {
      type: 'node',
      count: nodes,
      with: [{ type: 'slot', count: 1, label: 'task', with: [{ type: 'core', count: 1 }] }],
    },
  ],
  attributes: { system: { duration: 0, ...system } },
});
const R = (ranks: string, cores = '0-3', expiration = 0) => ({
  version: 1,
  execution: {
    R_lite: [{ rank: ranks, children: { core: cores } }],
    starttime: 0,
    expiration,
    nodelist: ['mc-[0-7]'],
  },
});

type Step = string | readonly [name: string, context: Readonly<Record<string, unknown>>, more?: object];

/** Entries of a job as the journal brings them: each an event, or all of them in one as in the backlog. */
const entriesOf = (id: bigint, steps: readonly Step[], spec: object = jobspec(2)): JournalEntry[] =>
  steps.map((step) => {
    const [name, context, more] = typeof step === 'string' ? [step] : step;
    return {
      id,
      events: [{ timestamp: 1, name, ...(context && { context }) }],
      ...(name === 'submit' && { jobspec: spec }),
      ...more,
    };
  });
const inOne = (entries: readonly JournalEntry[]): JournalEntry =>
  Object.assign({}, ...entries, { events: entries.flatMap(({ events }) => events) });

const priority = (value: number): Step => ['priority', { priority: value }];
const toSched: readonly Step[] = ['submit', 'validate', 'depend', priority(16)];
const alloc = (ranks: string, expiration = 0): Step => ['alloc', {}, { R: R(ranks, '0-3', expiration) }];
const fatal = (type: string): Step => ['exception', { type, severity: 0, note: '' }];

/** What waits, by its nodes, priority, number and oldest id; and what runs, by its ranks and expiration. */
function summary(state: QueueState) {
  const { active, pending, running, needs } = state.view();
  return {
    active,
    waits: pending.map(({ need, priority: value, count, first }) => [need.nodes, value, count, first]),
    runs: running.map(({ parts, expiration }) => [parts.flatMap(({ ranks }) => ranks), expiration]),
    needs: needs.length,
  };
}

describe('the queue', () => {
  it.each<[string, readonly Step[], object]>([
    [
      'waits for its dependencies',
      ['submit', ['dependency-add', {}], 'validate'],
      { active: 1, waits: [], runs: [], needs: 1 },
    ],
    [
      'waits for its priority',
      ['submit', 'validate', 'depend'],
      { active: 1, waits: [], runs: [], needs: 1 },
    ],
    ['waits for nodes', toSched, { active: 1, waits: [[2, 16, 1, 7n]], runs: [], needs: 1 }],
    ['is held', ['submit', 'validate', 'depend', priority(0)], { active: 1, waits: [], runs: [], needs: 1 }],
    [
      'is held later',
      [...toSched, ['urgency', { urgency: 0 }], priority(0)],
      { active: 1, waits: [], runs: [], needs: 1 },
    ],
    [
      'is released',
      ['submit', 'validate', 'depend', priority(0), ['urgency', { urgency: 31 }], priority(0xffff_ffff)],
      { active: 1, waits: [[2, 0xffff_ffff, 1, 7n]], runs: [], needs: 1 },
    ],
    [
      'is between two priorities',
      [...toSched, ['urgency', { urgency: 5 }]],
      { active: 1, waits: [], runs: [], needs: 1 },
    ],
    [
      'has another priority',
      [...toSched, priority(17)],
      { active: 1, waits: [[2, 17, 1, 7n]], runs: [], needs: 1 },
    ],
    [
      'was restored after a restart',
      [...toSched, 'flux-restart', priority(16)],
      { active: 1, waits: [[2, 16, 1, 7n]], runs: [], needs: 1 },
    ],
    ['runs', [...toSched, alloc('0-1')], { active: 1, waits: [], runs: [[[0, 1], 0]], needs: 0 }],
    [
      'runs with a time limit',
      [...toSched, alloc('3', 500)],
      { active: 1, waits: [], runs: [[[3], 500]], needs: 0 },
    ],
    [
      'runs with another time limit',
      [...toSched, alloc('3', 500), ['resource-update', { expiration: 900 }]],
      { active: 1, waits: [], runs: [[[3], 900]], needs: 0 },
    ],
    [
      'has ended, and is cleaned up after',
      [...toSched, alloc('0-1'), ['finish', { status: 0 }]],
      { active: 1, waits: [], runs: [[[0, 1], 0]], needs: 0 },
    ],
    [
      'has given its nodes back',
      [...toSched, alloc('0-1'), ['finish', { status: 0 }], 'free'],
      { active: 1, waits: [], runs: [], needs: 0 },
    ],
    [
      'is inactive',
      [...toSched, alloc('0-1'), ['finish', { status: 0 }], 'free', 'clean'],
      { active: 0, waits: [], runs: [], needs: 0 },
    ],
    [
      'was cancelled while it waited',
      [...toSched, fatal('cancel')],
      { active: 1, waits: [], runs: [], needs: 0 },
    ],
    [
      'was cancelled while it runs',
      [...toSched, alloc('4'), fatal('cancel')],
      { active: 1, waits: [], runs: [[[4], 0]], needs: 0 },
    ],
    [
      'was started while it was cancelled',
      [...toSched, fatal('cancel'), alloc('4')],
      { active: 1, waits: [], runs: [[[4], 0]], needs: 0 },
    ],
    [
      'had an exception that is not fatal',
      [...toSched, ['exception', { type: 'x', severity: 1 }]],
      { active: 1, waits: [[2, 16, 1, 7n]], runs: [], needs: 1 },
    ],
    [
      'is lost to a scheduler that was loaded anew',
      [...toSched, alloc('4'), fatal('scheduler-restart')],
      { active: 1, waits: [], runs: [], needs: 0 },
    ],
    ['was refused', ['submit', 'invalidate'], { active: 0, waits: [], runs: [], needs: 0 }],
    [
      'is updated while it waits',
      [...toSched, ['jobspec-update', { 'attributes.system.queue': 'q' }]],
      { active: 1, waits: [], runs: [], needs: 1 },
    ],
    [
      'was updated',
      [...toSched, ['jobspec-update', { 'attributes.system.queue': 'q' }], priority(16)],
      { active: 1, waits: [[2, 16, 1, 7n]], runs: [], needs: 1 },
    ],
  ])('has a job that %s, event by event and as a backlog', (_, steps, expected) => {
    const entries = entriesOf(7n, steps);
    for (const way of [entries, [inOne(entries)]]) {
      const state = createQueueState();
      for (const entry of way) state.apply(entry);
      expect(summary(state)).toEqual(expected);
      expect(state.active()).toBe(summary(state).active);
    }
  });

  it('has an update in the need of the job', () => {
    const state = createQueueState();
    const constraints = { properties: ['p'] };
    const update = { 'attributes.system.queue': 'b', 'attributes.system.constraints': constraints };
    for (const entry of entriesOf(
      1n,
      [...toSched, ['jobspec-update', update], priority(16)],
      jobspec(2, { queue: 'a' }),
    ))
      state.apply(entry);
    expect(state.view().pending[0]?.need).toMatchObject({ nodes: 2, queue: 'b', constraint: constraints });
  });

  it('joins jobs of the same shape and priority, and names the oldest of them', () => {
    const state = createQueueState();
    const add = (id: bigint, nodes: number, value: number) => {
      for (const entry of entriesOf(id, ['submit', 'depend', priority(value)], jobspec(nodes)))
        state.apply(entry);
    };
    for (const id of [9n, 5n, 2n ** 63n, 7n]) add(id, 2, 16);
    add(3n, 4, 16);
    add(4n, 2, 20);
    expect(summary(state)).toEqual({
      active: 6,
      waits: expect.arrayContaining([
        [2, 16, 4, 5n],
        [4, 16, 1, 3n],
        [2, 20, 1, 4n],
      ]),
      runs: [],
      needs: 2,
    });
  });

  it('joins jobs of all priorities where each has one of its own', () => {
    const state = createQueueState();
    for (let n = 1; n <= 3000; n++)
      for (const entry of entriesOf(
        BigInt(n),
        ['submit', 'depend', priority((n * 7919) % 3001)],
        jobspec(1 + (n % 2)),
      ))
        state.apply(entry);
    const { waits } = summary(state);
    const first = (nodes: number) => {
      const all = Array.from({ length: 3000 }, (_, n) => n + 1).filter((n) => 1 + (n % 2) === nodes);
      return all.reduce((best, n) => ((n * 7919) % 3001 > (best * 7919) % 3001 ? n : best));
    };
    expect(waits.toSorted()).toEqual(
      [1, 2].map((nodes) => [nodes, (first(nodes) * 7919) % 3001, 1500, BigInt(first(nodes))]),
    );
  });

  it('finds the oldest jobs of a need, whatever they wait for', () => {
    const state = createQueueState();
    const steps: readonly (readonly Step[])[] = [
      toSched,
      ['submit'],
      ['submit', 'depend', priority(0)],
      [...toSched, alloc('0')],
      [...toSched, fatal('cancel')],
    ];
    for (let id = 20n; id > 0n; id--)
      for (const entry of entriesOf(id, steps[Number(id) % 5] ?? [], jobspec(9))) state.apply(entry);
    for (const entry of entriesOf(50n, toSched, jobspec(1))) state.apply(entry);
    const { needs, jobsWith } = state.view();
    const large = needs.filter(({ nodes }) => nodes === 9);
    expect(jobsWith(large, 4)).toEqual({ count: 12, oldest: [1n, 2n, 5n, 6n].map((id) => [id, large[0]]) });
    expect(jobsWith([], 4)).toEqual({ count: 0, oldest: [] });
  });

  it('knows nothing of jobs that it has not seen submitted', () => {
    const state = createQueueState();
    for (const entry of entriesOf(1n, ['depend', priority(16), 'free', 'clean'])) state.apply(entry);
    expect(state.active()).toBe(0);
  });
});
