/** The output of one job, followed by ten readers at once, beside `flux job attach`. */
import { agentProc, heldKb } from '../../support/bed/agent-process.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { inside, writeOutput } from '../inside-pod.ts';
import { medianOf, row } from '../table.ts';
import { read, timed, usedBy } from './pod.ts';

const mib = 1024 * 1024;
const size = Number(process.env.BENCH_MIB ?? 1024);
/** `flux job attach` has the broker hold all of it, and takes minutes for a gigabyte. */
const attached = size / 8;
const rounds = Number(process.env.BENCH_ROUNDS ?? 3);
const readers = 10;

export async function output(pod: Pod): Promise<void> {
  await inside(pod, 'flux queue start --quiet');
  const [short, job] = [await writeOutput(pod, attached), await writeOutput(pod, size)];
  await inside(pod, 'flux queue stop --quiet');
  const all: { readonly attach: Rate; readonly one: Rate; readonly ten: Rate }[] = [];
  for (let round = 0; round < rounds; round++) {
    all.push({
      attach: await attach(pod, short),
      one: await follow(pod, job, 1),
      ten: await follow(pod, job, readers),
    });
  }
  console.log(row(`${size} MiB of output`, ['MiB a s', 'to attach', 'agent, ms', 'broker, ms']));
  const line = (name: string, of: (each: (typeof all)[number]) => Rate) =>
    console.log(
      row(name, [
        medianOf(all.map((each) => of(each).rate)).toFixed(1),
        medianOf(all.map((each) => of(each).rate / each.attach.rate)).toFixed(2),
        medianOf(all.map((each) => of(each).agent)).toFixed(2),
        medianOf(all.map((each) => of(each).broker)).toFixed(2),
      ]),
    );
  line(`flux job attach, ${attached} MiB`, ({ attach: each }) => each);
  line('API, one reader', ({ one }) => one);
  line(`API, ${readers} readers, all of them`, ({ ten }) => ten);
}

/** CPU in milliseconds for each MiB that was read. */
interface Rate {
  readonly rate: number;
  readonly agent: number;
  readonly broker: number;
}

async function attach(pod: Pod, job: string): Promise<Rate> {
  const script = `test $(flux job attach ${job} | wc -c) -eq ${attached * mib}`;
  const { result, agent, broker } = await usedBy(pod, () => timed(() => inside(pod, script)));
  return { rate: attached / result, agent: agent / attached, broker: broker / attached };
}

/** All readers together. */
async function follow(pod: Pod, job: string, times: number): Promise<Rate> {
  const path = `/v1/jobs/${job}/output/stream`;
  const lengths: number[] = [];
  const { result, agent, broker } = await usedBy(pod, () =>
    timed(async () => {
      const all = Array.from({ length: times }, () => read(pod, path));
      lengths.push(...(await Promise.all(all)));
    }),
  );
  if (lengths.some((bytes) => bytes !== size * mib)) throw new Error(`the readers got ${lengths} bytes`);
  console.log(
    `  ${times} at once, agent's RSS at most ${(heldKb(agentProc(pod), 'VmHWM') / 1024).toFixed(0)} MiB`,
  );
  const all = times * size;
  return { rate: all / result, agent: agent / all, broker: broker / all };
}
