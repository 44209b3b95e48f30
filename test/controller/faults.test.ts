import { describe, expect, it } from 'vitest';
import { resources } from '../../controller/kubernetes/resources.ts';
import { miniCluster } from '../support/kubernetes/controller-bed.ts';
import { type ApiCall, type Fault, faults, isWrite } from '../support/kubernetes/faulty-api.ts';
import { createVirtualBed, type Instance, type VirtualBed } from '../support/kubernetes/virtual-bed.ts';

/** The acts of a whole life, each of which is done when the one before has had its effect. */
const life: readonly ((bed: VirtualBed, name: string) => unknown)[] = [
  (bed, name) => bed.create(miniCluster({ size: 1, minSize: 1, maxSize: 2 }, { name })),
  (bed, name) => bed.patch(resources.miniClusters, name, { spec: { size: 2 } }),
  (bed, name) => bed.patch(resources.miniClusters, name, { spec: { suspend: true } }),
  (bed, name) => bed.patch(resources.miniClusters, name, { spec: { suspend: null, size: 1 } }),
  (bed, name) => bed.endProgram(0, name),
];
const states = ['Running', 'Running', 'Suspended', 'Running', 'Succeeded'];

/** Which requests of a MiniCluster fail, by their number within one act, from 0. */
type Plan = ReadonlyMap<number, Fault>;

const nameOf = (index: number) => `c${String(index).padStart(5, '0')}`;
const clusterOf = ({ name = '' }: ApiCall) => /^c\d{5}/.exec(name)?.[0];

/**
 * Lives as many MiniClusters as there are plans up to the act number `act`, in which the requests of each fail as its plan says. The first
 * plan has no fault: its MiniCluster is what the others have to become. Returns the requests of each in that act.
 */
async function liveWithFaults(act: number, plans: readonly Plan[]): Promise<number[]> {
  const bed = createVirtualBed();
  const made = new Map<string, number>();
  let isFaulty = false;
  bed.start({
    fault: (call) => {
      const cluster = clusterOf(call);
      if (!isFaulty || cluster === undefined) return undefined;
      const number = made.get(cluster) ?? 0;
      made.set(cluster, number + 1);
      return plans[Number(cluster.slice(1))]?.get(number);
    },
  });
  await bed.clock.run();
  for (const [number, next] of life.slice(0, act + 1).entries()) {
    isFaulty = number === act;
    for (const index of plans.keys()) void next(bed, nameOf(index));
    await bed.clock.run();
  }
  const [ends, stories] = [bed.ends(), bed.stories()];
  expect(bed.status(nameOf(0))?.state).toBe(states[act]);
  const [end, story = []] = [JSON.stringify(ends.get(nameOf(0))), stories.get(nameOf(0))];
  for (const [index, plan] of plans.entries()) {
    const title = `act ${act}, faults ${[...plan].map(([at, fault]) => `${at}: ${fault}`).join(', ')}`;
    if (JSON.stringify(ends.get(nameOf(index))) !== end)
      expect(ends.get(nameOf(index)), title).toEqual(ends.get(nameOf(0)));
    expect(made.get(nameOf(index)), title).toBeGreaterThan([...plan.keys()][0] ?? 0);
    expectStory(stories.get(nameOf(index)) ?? [], story, {
      title,
      complete: ![...plan.values()].some(isLost),
    });
  }
  bed.over();
  return [...plans.keys()].map((index) => made.get(nameOf(index)) ?? 0);
}

const isLost = (fault: Fault) => fault === 'reset after' || fault === 'timeout';

/** No Event is there more often than expected. One whose cause was carried out, but never answered, may be missing. */
function expectStory(
  story: readonly string[],
  expected: readonly string[],
  { title, complete }: { title: string; complete: boolean },
): void {
  // How many brokers are online by then depends on the moment.
  const sorted = (lines: readonly string[]) =>
    lines.map((line) => line.replace(/^Ready: .*/, 'Ready')).sort();
  const left = sorted(expected);
  const surplus = sorted(story).filter((line) => {
    const place = left.indexOf(line);
    if (place >= 0) left.splice(place, 1);
    return place < 0;
  });
  expect(surplus, title).toEqual([]);
  if (complete) expect(left, title).toEqual([]);
}

/** Of each kind of fault one after the other: not carried out, carried out with the answer lost, refused as a conflict. */
const kinds: readonly (readonly Fault[])[] = [
  ['reset before', 'internal error', 'too many requests'],
  ['reset after', 'timeout'],
  ['conflict'],
];

/** The first of each pair is of the kind `one`. */
function pairs(requests: number, one: readonly Fault[]): Plan[] {
  const plans: Plan[] = [];
  for (let first = 0; first < requests; first++)
    // A retry has requests of its own, which fail as well.
    for (let second = first + 1; second < requests + 2; second++)
      for (const other of kinds)
        plans.push(
          new Map([
            [first, one[(first + second) % one.length] as Fault],
            [second, other[second % other.length] as Fault],
          ]),
        );
  return plans;
}

describe.each(life.map((_, act) => act))(
  'in act %i of its life a MiniCluster reaches the same end',
  (act) => {
    it('when any request fails in any way', async () => {
      const [requests = 0] = await liveWithFaults(act, [new Map()]);
      expect(requests).toBeGreaterThan(2);
      const singles = Array.from({ length: requests }, (_, at) =>
        faults.map((fault) => new Map([[at, fault]])),
      );
      await liveWithFaults(act, [new Map(), ...singles.flat()]);
    });

    it.each(kinds.map((kind) => ({ kind })))(
      'when any two requests fail, the first of them by $kind',
      async ({ kind }) => {
        const [requests = 0] = await liveWithFaults(act, [new Map()]);
        await liveWithFaults(act, [new Map(), ...pairs(requests, kind)]);
      },
    );
  },
);

/** A whole life, during which the controller is killed as `kill` says, and started again. */
async function liveWithKills(
  kill: (call: ApiCall, number: number, instance: number) => 'dead' | 'last' | undefined,
) {
  const bed = createVirtualBed();
  const instances: Instance[] = [];
  const start = () => {
    const place = instances.length;
    let number = 0;
    instances.push(
      bed.start({
        fault: (call) => {
          const fate = kill(call, number++, place);
          if (fate === undefined) return undefined;
          bed.clock.after(10, start);
          return fate;
        },
      }),
    );
  };
  start();
  await bed.clock.run();
  const ends: unknown[] = [];
  const certificates = new Set<unknown>();
  for (const act of life) {
    void act(bed, nameOf(0));
    await bed.clock.run();
    ends.push(bed.ends().get(nameOf(0)));
    certificates.add(bed.find(resources.secrets, `${nameOf(0)}-curve`)?.data);
  }
  const story = bed.stories().get(nameOf(0)) ?? [];
  // What is as it should be is left alone by the next one.
  const next = bed.start();
  await bed.clock.run();
  expect(next.calls.filter(isWrite)).toEqual([]);
  bed.over();
  return { ends, story, instances, certificates };
}

describe('a controller that is killed, and started again', () => {
  it.each(['dead', 'last'] as const)(
    'at any request (%s) leaves every MiniCluster where it would have been',
    async (fate) => {
      const expected = await liveWithKills(() => undefined);
      expect(expected.ends).toHaveLength(life.length);
      const requests = expected.instances[0]?.calls.length ?? 0;
      expect(requests).toBeGreaterThan(40);
      for (let at = 0; at < requests; at++) {
        const { ends, story, instances, certificates } = await liveWithKills((_, number, instance) =>
          instance === 0 && number === at ? fate : undefined,
        );
        const title = `killed at request ${at}: ${JSON.stringify(expected.instances[0]?.calls[at])}`;
        expect(instances, title).toHaveLength(2);
        expect(ends, title).toEqual(expected.ends);
        expect(certificates.size, title).toBe(1);
        expectStory(story, expected.story, { title, complete: false });
      }
    },
  );

  it('after each of its writes, again and again, comes to the same end', async () => {
    const expected = await liveWithKills(() => undefined);
    const { ends, instances } = await liveWithKills((call) => (isWrite(call) ? 'last' : undefined));
    expect(instances.length).toBeGreaterThan(15);
    expect(ends).toEqual(expected.ends);
  });
});
