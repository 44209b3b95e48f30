/**
 * An instance of up to 10,000 pods on a virtual clock: the agents' state machines and searches are the real ones, brokers, links and CoreDNS
 * (`cache 30`) are played.
 */
import { createTopology, parseTopology } from '../../agent/cluster/topology.ts';
import { type VirtualInstance, virtualInstance } from '../support/virtual/virtual-instance.ts';
import { row } from './table.ts';

const sizes = [40, 400, 10_000];
const recordsMs = 1000;
const replacedMs = 2000;

export async function simulation(): Promise<void> {
  console.log(
    `an instance on a virtual clock, records ${recordsMs / 1000} s late; the leader’s pod is lost and`,
  );
  console.log(`replaced ${replacedMs / 1000} s later; then the program exits with 7`);
  console.log(row('', ['run, s', 'questions', 'a pod', 'a second', 'links', 'attempts']));
  for (const topology of ['custom', 'kary:128']) {
    for (const size of sizes) await play(topology, size);
  }
}

async function play(topology: string, size: number): Promise<void> {
  const instance = virtualInstance(createTopology(parseTopology(topology), size));
  const ranks = Array.from({ length: size }, (_, rank) => rank);
  for (const rank of ranks) instance.startPod(rank, recordsMs);
  const startedMs = await until(instance, () => instance.running() === size);
  const begun = report(`${topology}, ${size} pods start`, instance, size, startedMs - recordsMs, nothing);
  const lostAt = instance.time.now();
  instance.killPod(0);
  await instance.time.run(lostAt + replacedMs);
  instance.startPod(0);
  const againMs = await until(instance, () => instance.running() === size);
  report('the leader is replaced', instance, size, againMs - lostAt - replacedMs, begun);
  const endedAt = instance.time.now();
  instance.endProgram(7);
  const exits = () => ranks.filter((rank) => instance.exitOf(rank)?.outcome.code === 7).length;
  const exitedMs = await until(instance, () => exits() === size);
  console.log(row('all exit with its code', [((exitedMs - endedAt) / 1000).toFixed(2)]));
}

const stepMs = 50;
const mostMs = 600_000;

/** When it holds, in milliseconds of the virtual clock. */
async function until({ time }: VirtualInstance, holds: () => boolean): Promise<number> {
  for (const begin = time.now(); !holds(); ) {
    if (time.now() - begin > mostMs) throw new Error(`it does not hold after ${mostMs / 1000} s`);
    await time.run(time.now() + stepMs);
  }
  return time.now();
}

interface Counts {
  readonly queries: number;
  readonly attempts: number;
}
const nothing: Counts = { queries: 0, attempts: 0 };

/** Prints what was added since `before`. */
function report(title: string, instance: VirtualInstance, size: number, ms: number, before: Counts): Counts {
  const added = instance.cluster.queries.slice(before.queries);
  const perSecond = Map.groupBy(added, ({ at }) => Math.floor(at / 1000));
  const { open, attempts } = instance.links();
  console.log(
    row(title, [
      (ms / 1000).toFixed(2),
      String(added.length),
      (added.length / size).toFixed(1),
      String(Math.max(...[...perSecond.values()].map(({ length }) => length))),
      String(open),
      String(attempts - before.attempts),
    ]),
  );
  return { queries: before.queries + added.length, attempts };
}
