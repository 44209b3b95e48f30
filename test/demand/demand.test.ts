import { describe, expect, it } from 'vitest';
import { type DemandLimits, type DemandQueue, demandOf, type RunningJob } from '../../agent/demand/demand.ts';
import { type JobNeed, needOf } from '../../agent/demand/job-need.ts';
import type { QueueNode } from '../../agent/demand/queue-nodes.ts';
import { formatJobId } from '../../agent/flux/job-id.ts';

const now = 1_000_000;
const limits: DemandLimits = { maxSize: 8, podSeconds: 60 };

/** Nodes of 4 cores and no GPU, of which the first `online` are online. */
const nodes = (
  count: number,
  online: number,
  parts: (rank: number) => Partial<QueueNode> = () => ({}),
): QueueNode[] =>
  Array.from({ length: count }, (_, rank) => ({
    ...{ rank, host: `mc-${rank}`, properties: new Set<string>(), cores: 4, gpus: 0 },
    ...{ online: rank < online, excluded: false, closed: false },
    ...parts(rank),
  }));

/** -N count, a slot of so many cores on each. */
const onNodes = (count: number, parts: Partial<JobNeed> = {}): JobNeed => ({
  ...needOf({}),
  nodes: count,
  ...parts,
});
const exclusive = (count: number): JobNeed => onNodes(count, { exclusive: true });
/** -n count */
const slots = (count: number, parts: Partial<JobNeed> = {}): JobNeed => ({
  ...needOf({}),
  slots: count,
  ...parts,
});

interface Pending {
  readonly need: JobNeed;
  readonly count?: number;
  readonly priority?: number;
}

const idOf = (place: number) => (BigInt(place) + 1n) << 24n;
const nameOf = (place: number) => formatJobId(idOf(place));

/** Jobs that wait, in the order in which they were submitted. */
function queueOf(pending: readonly Pending[], parts: Partial<DemandQueue> = {}): DemandQueue {
  const groups = pending.map(({ need, count = 1, priority = 16 }, place) => ({
    need,
    count,
    priority,
    first: idOf(place),
  }));
  const { running = [], needs = groups.map(({ need }) => need) } = parts;
  return {
    active: groups.reduce((sum, { count }) => sum + count, running.length),
    pending: groups,
    needs,
    jobsWith: (wanted, most) => {
      const found = groups.filter(({ need }) => wanted.includes(need));
      return {
        count: found.reduce((sum, { count }) => sum + count, 0),
        oldest: found.slice(0, most).map(({ first, need }) => [first, need] as const),
      };
    },
    running,
    housekeeping: [],
    isStopped: () => false,
    ...parts,
  };
}

const runs = (ranks: readonly number[], { cores = 4, gpus = 0, endsIn = 0 } = {}): RunningJob => ({
  parts: [{ ranks, cores, gpus }],
  expiration: endsIn === 0 ? 0 : now + endsIn,
});

const demand = (
  pending: readonly Pending[],
  {
    queue = {},
    of = nodes(8, 1),
    limit = limits,
  }: { queue?: Partial<DemandQueue>; of?: readonly QueueNode[]; limit?: DemandLimits } = {},
) => demandOf(queueOf(pending, queue), of, limit, now);

describe('the nodes wanted', () => {
  it.each<[string, readonly Pending[], number]>([
    ['no job', [], 1],
    ['a job of one core', [{ need: slots(1) }], 1],
    ['a job of six nodes', [{ need: exclusive(6) }], 6],
    ['a job of as many as there are', [{ need: exclusive(8) }], 8],
    ['two jobs of two nodes', [{ need: exclusive(2), count: 2 }], 4],
    ['two of different size', [{ need: exclusive(2) }, { need: exclusive(3) }], 5],
    ['12 cores', [{ need: slots(12) }], 3],
    ['13 cores', [{ need: slots(13) }], 4],
    ['slots of 3 cores, of which a node has room for one', [{ need: slots(5, { cores: 3 }) }], 5],
    ['20 jobs of a core', [{ need: slots(1), count: 20 }], 5],
    ['200 jobs of a core: as many as find room', [{ need: slots(1), count: 200 }], 8],
    ['jobs of 3 slots, which nodes share', [{ need: slots(3), count: 4 }], 3],
    ['shared nodes: four jobs of a core on each of two nodes', [{ need: onNodes(2), count: 4 }], 2],
    ['shared nodes: a fifth job needs two more', [{ need: onNodes(2), count: 5 }], 4],
    ['shared nodes, two slots on each', [{ need: onNodes(2, { slots: 2 }), count: 3 }], 4],
    ['a core beside exclusive nodes', [{ need: exclusive(2) }, { need: slots(1) }], 3],
    ['exclusive nodes beside a core', [{ need: slots(1) }, { need: exclusive(2) }], 3],
    [
      'small jobs that fill the gap that a large one leaves',
      [
        { need: onNodes(1, { cores: 3 }), count: 3 },
        { need: slots(1), count: 3 },
      ],
      3,
    ],
    ['a job that finds no room beside one ahead of it', [{ need: exclusive(6) }, { need: exclusive(6) }], 6],
    ['one behind it that does', [{ need: exclusive(6) }, { need: exclusive(6) }, { need: exclusive(2) }], 8],
    [
      'a more urgent job, which comes first',
      [{ need: exclusive(6) }, { need: exclusive(3), priority: 20 }],
      3,
    ],
  ])('with %s', (_, pending, wanted) => {
    expect(demand(pending)).toMatchObject({ wanted, busy: 0, unfitCount: 0 });
  });

  it('with a scheduler that keeps the order do not count jobs behind one that finds no room', () => {
    const limit = { ...limits, inOrder: true };
    expect(
      demand([{ need: exclusive(6) }, { need: exclusive(6) }, { need: exclusive(2) }], { limit }).wanted,
    ).toBe(6);
    expect(demand([{ need: exclusive(2) }, { need: exclusive(2) }], { limit }).wanted).toBe(4);
  });

  it('count GPUs', () => {
    const of = nodes(8, 1, (rank) => ({ gpus: rank < 6 ? 2 : 0 }));
    expect(demand([{ need: slots(3, { gpus: 1 }) }], { of }).wanted).toBe(2);
    expect(demand([{ need: onNodes(1, { gpus: 2 }), count: 5 }], { of }).wanted).toBe(5);
    expect(demand([{ need: onNodes(1, { gpus: 2 }), count: 7 }], { of }).wanted).toBe(6);
    expect(demand([{ need: onNodes(1, { gpus: 1, slots: 2 }), count: 2 }], { of }).wanted).toBe(2);
  });

  it('reach as far as the nodes that a constraint admits', () => {
    const of = nodes(8, 1, (rank) => ({ properties: new Set(rank >= 5 ? ['big'] : []) }));
    const big = { properties: ['big'] };
    expect(demand([{ need: onNodes(1, { constraint: big }) }], { of }).wanted).toBe(6);
    expect(demand([{ need: slots(9, { constraint: big }) }], { of }).wanted).toBe(8);
    expect(demand([{ need: onNodes(2, { constraint: { hostlist: ['mc-[1,3]'] } }) }], { of }).wanted).toBe(4);
    expect(demand([{ need: onNodes(1, { constraint: { other: ['x'] } }) }], { of }).wanted).toBe(1);
  });

  it.each<[string, Partial<QueueNode>, number]>([
    ['a user has drained', { closed: true }, 4],
    ['the configuration excludes', { excluded: true }, 4],
    ['are offline', { online: false }, 2],
  ])('pass over nodes that %s only where they take no jobs', (_, parts, wanted) => {
    const of = nodes(8, 8, (rank) => (rank < 2 ? parts : {}));
    expect(demand([{ need: exclusive(2) }], { of }).wanted).toBe(wanted);
  });

  it('are at most the hosts that the configuration names, whatever R has', () => {
    expect(demand([{ need: slots(1), count: 100 }], { of: nodes(12, 1) }).wanted).toBe(8);
    expect(demand([], { queue: { running: [runs([11])] }, of: nodes(12, 1) }).wanted).toBe(8);
  });
});

describe('jobs that run', () => {
  it('keep their nodes', () => {
    const running = [runs([0, 1]), runs([5], { cores: 1 })];
    expect(demand([], { queue: { running } })).toMatchObject({ wanted: 6, busy: 6 });
    // Ranks 2 to 4, and three cores of rank 5.
    expect(demand([{ need: exclusive(3) }, { need: slots(3) }], { queue: { running } }).wanted).toBe(6);
    expect(demand([{ need: exclusive(3) }, { need: slots(4) }], { queue: { running } }).wanted).toBe(7);
  });

  it('leave their nodes to others only where their time limit ends before a pod would have come', () => {
    const pending = [{ need: exclusive(2) }];
    const of = nodes(8, 2);
    const wantedWith = (endsIn: number) =>
      demand(pending, { queue: { running: [runs([0, 1], { endsIn })] }, of }).wanted;
    expect(wantedWith(59)).toBe(2);
    expect(wantedWith(60)).toBe(2);
    expect(wantedWith(61)).toBe(4);
    expect(wantedWith(0)).toBe(4);
    expect(wantedWith(-5)).toBe(2);
    const later = { ...limits, podSeconds: 300 };
    expect(
      demand(pending, { queue: { running: [runs([0, 1], { endsIn: 200 })] }, of, limit: later }).wanted,
    ).toBe(2);
  });

  it('that end soon let nodes for a larger job come before', () => {
    expect(
      demand([{ need: exclusive(8) }], { queue: { running: [runs([0, 1], { endsIn: 30 })] } }).wanted,
    ).toBe(8);
    expect(
      demand([{ need: exclusive(8) }], { queue: { running: [runs([0, 1], { endsIn: 90 })] } }).wanted,
    ).toBe(2);
  });

  it('are counted with housekeeping, whose nodes are soon free', () => {
    const queue = { housekeeping: [3, 4] };
    expect(demand([], { queue })).toMatchObject({ wanted: 5, busy: 5 });
    expect(demand([{ need: exclusive(5) }], { queue }).wanted).toBe(5);
  });

  it('leave brokers idle that are online', () => {
    const queue = { running: [runs([0]), runs([2], { cores: 1 })], housekeeping: [3] };
    expect(demand([], { queue, of: nodes(8, 6) }).idle).toBe(3);
    expect(demand([], { of: nodes(8, 6) }).idle).toBe(6);
  });
});

describe('jobs of a queue that is stopped', () => {
  it('do not count, and are active', () => {
    const pending = [{ need: onNodes(6, { queue: 'a' }) }, { need: onNodes(3, { queue: 'b' }) }];
    const queue = { isStopped: (name: string | undefined) => name === 'a' };
    expect(demand(pending, { queue })).toMatchObject({
      wanted: 3,
      reason: `job ${nameOf(1)} needs 3 nodes`,
      active: 2,
    });
    expect(demand(pending, { queue: { isStopped: () => true } })).toEqual({
      ...{ wanted: 1, busy: 0, idle: 1, active: 2, unfit: [], unfitCount: 0 },
    });
  });
});

describe('the reason', () => {
  it.each<[string, readonly Pending[], Partial<DemandQueue>, string | undefined]>([
    ['is absent without a job that waits', [], { running: [runs([0])] }, undefined],
    [
      'is the job that needs the most',
      [{ need: exclusive(2) }, { need: exclusive(4) }],
      {},
      `job ${nameOf(1)} needs 4 nodes`,
    ],
    [
      'is the first that has room, where no more is wanted',
      [{ need: slots(1) }],
      { running: [runs([1])] },
      `job ${nameOf(0)} needs 1 core`,
    ],
    [
      'has the number of jobs like it',
      [{ need: slots(2, { cores: 2 }), count: 3 }],
      {},
      `job ${nameOf(0)} needs 4 cores, and 2 jobs like it`,
    ],
    [
      'says where there is no room for it',
      [{ need: exclusive(8) }],
      { running: [runs([3])] },
      `job ${nameOf(0)} needs 8 nodes: it waits until these are free`,
    ],
  ])('%s', (_, pending, queue, reason) => {
    expect(demand(pending, { queue }).reason).toBe(reason);
  });
});

describe('a job that can never run', () => {
  const of = nodes(8, 1, (rank) => ({
    gpus: rank < 2 ? 1 : 0,
    excluded: rank === 7,
    closed: rank === 6,
    properties: new Set(rank < 3 ? ['p'] : []),
  }));
  it.each<[JobNeed, string]>([
    [exclusive(8), 'it needs 8 nodes, and the instance has at most 7'],
    [
      onNodes(4, { constraint: { properties: ['p'] } }),
      'it needs 4 nodes, and 3 of the instance’s 7 match its constraints',
    ],
    [
      slots(1, { constraint: { properties: ['q'] } }),
      'it needs 1 node, and 0 of the instance’s 7 match its constraints',
    ],
    [slots(1, { cores: 5 }), 'it needs 5 cores on a node, and the largest has 4'],
    [onNodes(1, { slots: 3, cores: 2 }), 'it needs 6 cores on a node, and the largest has 4'],
    [slots(1, { gpus: 2 }), 'it needs 2 GPUs on a node, and none has more than 1'],
    [onNodes(3, { gpus: 1 }), 'it needs 3 nodes with 1 core and 1 GPU each, and 2 have that'],
    [slots(29), 'it needs 29 times 1 core, and the instance has room for 28'],
    [slots(3, { cores: 4, gpus: 1 }), 'it needs 3 times 4 cores and 1 GPU, and the instance has room for 2'],
  ])('of the need %o is reported with its reason, and does not count', (need, why) => {
    const found = demand([{ need }, { need: exclusive(2) }], { of });
    expect(found).toMatchObject({ unfit: [{ id: nameOf(0), why }], unfitCount: 1, wanted: 2, active: 2 });
    expect(found.reason).toBe(`job ${nameOf(1)} needs 2 nodes`);
  });

  it.each<[string, JobNeed]>([
    ['nodes that are offline or drained', exclusive(7)],
    ['more slots on whole nodes than these have cores', onNodes(7, { slots: 9, exclusive: true })],
    ['constraints that are unknown', onNodes(7, { constraint: { magic: [] } })],
    ['all cores', slots(28)],
  ])('is none that needs %s', (_, need) => {
    expect(demand([{ need }], { of }).unfitCount).toBe(0);
  });

  it('is also one that is held, and of many the oldest are named', () => {
    const held = onNodes(9);
    const queue = {
      needs: [held],
      jobsWith: () => ({ count: 1000, oldest: [[5n, held]] as const }),
      active: 1000,
    };
    expect(demand([], { queue, of })).toEqual({
      ...{ wanted: 1, busy: 0, idle: 1, active: 1000, unfitCount: 1000 },
      unfit: [{ id: formatJobId(5n), why: 'it needs 9 nodes, and the instance has at most 7' }],
    });
  });

  it('has a reason of 160 characters at most, as the reason of the demand is', () => {
    const most = 2 ** 53 - 1;
    const huge = { nodes: most, slots: most, cores: most, gpus: most };
    const found = demand([{ need: onNodes(1, huge) }], { of });
    const first = { need: slots(4, { cores: 7 }), count: most, priority: 1, first: 2n ** 64n - 1n };
    const reason = demand([], {
      queue: { pending: [first], running: [runs([0, 1, 2, 3, 4, 5, 6, 7])] },
      of: nodes(8, 1, () => ({ cores: 8 })),
    }).reason;
    for (const text of [found.unfit[0]?.why, reason]) expect(text?.length).toBeLessThanOrEqual(160);
  });
});

describe('the constraints of a queue', () => {
  /** Nodes that count how often a constraint asks one for a property. */
  const counted = () => {
    let asked = 0;
    const properties: ReadonlySet<string> = Object.assign(new Set<string>(), {
      has: () => {
        asked++;
        return true;
      },
    });
    return { of: nodes(8, 1, () => ({ properties })), asked: () => asked };
  };
  const big = { constraint: { properties: ['big'] } };
  const queue = queueOf([{ need: slots(12, big) }, { need: onNodes(9, big) }]);

  it('are held against the nodes once, and anew when the nodes are others', () => {
    for (const { of, asked } of [counted(), counted()]) {
      const found = demandOf(queue, of, limits, now);
      expect(found).toMatchObject({ wanted: 3, unfitCount: 1 });
      // Two constraints, eight nodes.
      expect(asked()).toBe(16);
      expect(demandOf(queue, of, limits, now)).toEqual(found);
      expect(asked()).toBe(16);
    }
  });

  it('are those of as many hosts as the instance has', () => {
    const { of } = counted();
    expect(demandOf(queue, of, limits, now).wanted).toBe(3);
    expect(demandOf(queue, of, { ...limits, maxSize: 2 }, now)).toMatchObject({ wanted: 1, unfitCount: 2 });
  });
});
