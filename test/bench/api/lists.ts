/** Pages and searches while the queue grows to 100,000 jobs; a search whose client goes away. */
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from '../../support/bed/pod.ts';
import { medianOf, row } from '../table.ts';
import { cpuOf, port, read, timed, token, usedBy } from './pod.ts';
import { byCopies } from './submit.ts';

const most = Number(process.env.BENCH_JOBS ?? 100_000);
const page = '/v1/jobs?limit=100';
const search = '/v1/jobs?search=no-such-name';

export async function lists(pod: Pod): Promise<void> {
  console.log(row('jobs in the queue', ['page, ms', 'agent, ms', 'search, ms', 'agent, ms', 'gone, ms']));
  for (const jobs of [1000, 5000, 20_000, most]) {
    await fill(pod, jobs);
    const pages = await measure(pod, 100, page);
    const searches = await measure(pod, 10, search);
    const gone = await agentAfterGoing(pod, 10);
    const cells = [pages.ms, pages.agent, searches.ms, searches.agent, gone].map((ms) => ms.toFixed(1));
    console.log(row(String(jobs), cells));
  }
}

async function fill(pod: Pod, jobs: number): Promise<void> {
  for (let there = await jobsOf(pod); there < jobs; there = await jobsOf(pod))
    await byCopies(pod, Math.min(10_000, jobs - there));
}

function jobsOf(pod: Pod): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    request({ host: pod.address, port, path: '/v1/queue', headers, agent: false }, async (response) => {
      const text = (await response.setEncoding('utf8').toArray()).join('');
      resolve(JSON.parse(text).states.total);
    })
      .once('error', reject)
      .end();
  });
}

/** The median time of an answer, and the agent's CPU for one, in milliseconds. */
async function measure(pod: Pod, times: number, path: string): Promise<{ ms: number; agent: number }> {
  const all: number[] = [];
  const { agent } = await usedBy(pod, async () => {
    for (let turn = 0; turn < times; turn++) all.push(1000 * (await timed(() => read(pod, path))));
  });
  return { ms: medianOf(all), agent: agent / times };
}

/** The agent's CPU for a search whose client closes the connection as soon as it has asked. */
async function agentAfterGoing(pod: Pod, times: number): Promise<number> {
  const before = cpuOf(pod).agent;
  for (let turn = 0; turn < times; turn++) {
    const client = new AbortController();
    const reading = read(pod, search, { signal: client.signal });
    await delay(10);
    client.abort();
    await reading.catch(() => undefined);
    // What is under way in the broker ends.
    await read(pod, page);
  }
  return (cpuOf(pod).agent - before) / times;
}
