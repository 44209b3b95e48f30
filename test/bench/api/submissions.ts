/** Submissions a second beside `flux submit --cc` and beside one process a call, as flux-restful-api's users had it. Jobs are not started. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from '../../support/bed/pod.ts';
import { medianOf, row } from '../table.ts';
import { openStreams, streams } from './event-streams.ts';
import { loadNow, open, timed, usedBy } from './pod.ts';
import { atOnce, byCopies, byProcesses, byRequests, bySubmitCc } from './submit.ts';

const seconds = Number(process.env.BENCH_SECONDS ?? 6);
const rounds = Number(process.env.BENCH_ROUNDS ?? 5);

export async function submissions(pod: Pod): Promise<void> {
  await byRequests(pod, 2);
  const all: Awaited<ReturnType<typeof oneRound>>[] = [];
  for (let round = 0; round < rounds; round++) {
    const each = await oneRound(pod);
    all.push(each);
    const rates = Object.entries(each).map(([name, { rate }]) => `${name} ${rate.toFixed(0)}`);
    console.log(`  ${rates.join(', ')} a second, load ${loadNow()}`);
  }
  const median = (of: (each: (typeof all)[number]) => number) => medianOf(all.map(of));
  console.log(row('', ['a second', 'to --cc', 'agent, ms', 'broker, ms']));
  const line = (name: string, of: (each: (typeof all)[number]) => Way) =>
    console.log(
      row(name, [
        median((each) => of(each).rate).toFixed(0),
        median((each) => of(each).rate / each.cc.rate).toFixed(2),
        median((each) => of(each).agent).toFixed(2),
        median((each) => of(each).broker).toFixed(2),
      ]),
    );
  line('flux submit --cc', ({ cc }) => cc);
  line('API, /v1/jobs/cc', ({ copies }) => copies);
  line(`API, ${atOnce} at once`, ({ ours }) => ours);
  line(`with ${streams} event streams`, ({ under }) => under);
  const share = median(({ under, ours }) => under.rate / ours.rate);
  console.log(row('with the streams to without', [share.toFixed(2)]));
  console.log(row('flux submit, one a call', [(await byProcesses(pod)).toFixed(0)]));
}

/** CPU in milliseconds a job. */
interface Way {
  readonly rate: number;
  readonly agent: number;
  readonly broker: number;
}

async function oneRound(pod: Pod) {
  const first = await usedBy(pod, () => byRequests(pod, seconds));
  const count = Math.min(10_000, first.result.accepted);
  const copies = await usedBy(pod, () => byCopies(pod, count));
  const cc = await usedBy(pod, () => bySubmitCc(pod, count));
  const way = ({ result, agent, broker }: typeof cc, jobs: number): Way => ({
    rate: result,
    agent: agent / jobs,
    broker: broker / jobs,
  });
  const rated = ({ result, ...used }: typeof first) => way({ ...used, result: result.rate }, result.accepted);
  return {
    ours: rated(first),
    copies: way(copies, count),
    cc: way(cc, count),
    under: rated(await withStreams(pod)),
  };
}

async function withStreams(pod: Pod) {
  const streaming = await openStreams(pod);
  const measured = await usedBy(pod, () => byRequests(pod, seconds));
  const probe = await timed(async () => (await open(pod, '/livez', { port: 8051 })).resume());
  // What is gathered last.
  await delay(1000);
  const [least, most] = streaming.bytes();
  const jobs = measured.result.accepted;
  console.log(
    `  to each reader ${least} to ${most} bytes, ${streaming.events()} events of ${jobs} jobs; a probe meanwhile ${(1000 * probe).toFixed(1)} ms`,
  );
  streaming.close();
  return measured;
}
