/**
 * Submissions a second through the API beside `flux submit --cc` and beside one process a call, as flux-restful-api's users had it; then
 * 500 open event streams and one that is never read, with what they cost the agent and a probe meanwhile. One pod, real Flux.
 */
import { Agent, get, request } from 'node:http';
import { createConnection } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { agentProc, heldKb } from '../support/bed/agent-process.ts';
import { bedUnavailable, createBed } from '../support/bed/bed.ts';
import type { Pod } from '../support/bed/pod.ts';
import { installFluxPod, realFlux, startMiniCluster } from '../support/project/flux-pod.ts';
import { medianOf, row } from './table.ts';

const seconds = Number(process.env.BENCH_SECONDS ?? 10);
const token = 'write-0123456789abcdef';
/** As many as keep the broker busy: `flux submit --cc` waits for none before it sends the next. */
const atOnce = 512;
const streams = 500;
/** One token may have 100 of them. */
const readers = Array.from({ length: 5 }, (_, place) => `reader-${place}-0123456789abcdef`);

export async function api(): Promise<void> {
  const unavailable = bedUnavailable();
  const flux = realFlux();
  if (unavailable || !flux) return console.log(`api: SKIPPED, ${unavailable ?? 'there is no real flux'}`);
  await using bed = await createBed();
  const [pod] = startMiniCluster(bed, {
    size: 1,
    flux,
    command: ['sh', '-c', 'flux queue stop --quiet; echo up; exec sleep 1000000'],
    env: { FLUX_POD_API: 'on', FLUX_POD_API_TOKENS: '/etc/flux-pod/api', FLUX_POD_API_RATE: '100000' },
    pod: () => ({
      mounts: {
        '/etc/flux-pod/api/write': { content: `${token}\n`, mode: 0o400 },
        '/etc/flux-pod/api/read': { content: readers.map((each) => `${each}\n`).join(''), mode: 0o400 },
      },
    }),
  }) as [Pod];
  await pod.waitForOutput(/^up$/m, 30_000);
  await delay(2000);
  const proc = agentProc(pod);
  console.log('submissions a second, one pod, jobs are not started');
  console.log(row('', ['a second', 'to --cc']));
  const rounds: { ours: number; copies: number; cc: number }[] = [];
  for (let round = 0; round < 5; round++) {
    const ours = await submissions(pod);
    const count = Math.min(10_000, Math.round(ours * seconds));
    rounds.push({ ours, copies: await byCopies(pod, count), cc: await bySubmitCc(pod, count) });
  }
  const perSecond = medianOf(rounds.map(({ ours }) => ours));
  const processes = await byProcesses(pod);
  const cc = medianOf(rounds.map((round) => round.cc));
  const line = (name: string, value: number, ratio = value / cc) =>
    console.log(row(name, [value.toFixed(0), ratio.toFixed(2)]));
  line('flux submit --cc', cc);
  line(
    'API, /v1/jobs/cc',
    medianOf(rounds.map(({ copies }) => copies)),
    medianOf(rounds.map((round) => round.copies / round.cc)),
  );
  line(`API, ${atOnce} requests at once`, perSecond, medianOf(rounds.map((round) => round.ours / round.cc)));
  line('flux submit, one a call', processes);
  console.log(row('agent after it, RSS MiB', [mebibytes(proc)]));
  const page = await timed(() => ask(pod, '/v1/jobs?limit=100'));
  console.log(row('a page of 100 jobs, ms', [page.toFixed(1)]));

  const open = await Promise.all(
    Array.from({ length: streams }, (_, place) => openEvents(pod, readers[place % readers.length] ?? '')),
  );
  const never = createConnection({ host: pod.address, port: 8052 }).pause();
  never.on('error', () => undefined);
  never.write(`GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  const under = await submissions(pod);
  const probe = await timed(() => ask(pod, '/livez', 8051));
  console.log(row(`with ${streams} event streams`, [under.toFixed(0)]));
  console.log(row('events to each reader', [String(Math.min(...open.map(({ events }) => events())))]));
  console.log(row('a probe meanwhile, ms', [probe.toFixed(1)]));
  console.log(row('agent, RSS MiB', [mebibytes(proc)]));
  for (const { close } of open) close();
  never.destroy();
  await pod.kill();
}

/** Submits over some connections at once for some seconds. Resolves to how many a second were accepted. */
async function submissions(pod: Pod): Promise<number> {
  const connections = atOnce;
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const startedAt = performance.now();
  let accepted = 0;
  const work = async () => {
    while (performance.now() - startedAt < seconds * 1000) {
      await post(pod, agent);
      accepted++;
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
  agent.destroy();
  return accepted / ((performance.now() - startedAt) / 1000);
}

function post(pod: Pod, agent: Agent): Promise<void> {
  const body = '{"command":["true"]}';
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'content-length': body.length,
  };
  return new Promise((resolve, reject) => {
    const ask = request(
      { host: pod.address, port: 8052, path: '/v1/jobs', method: 'POST', headers, agent },
      (response) => {
        response.resume().once('end', () => {
          if (response.statusCode === 201) resolve();
          else reject(new Error(`the API says ${response.statusCode}`));
        });
      },
    );
    ask.once('error', reject).end(body);
  });
}

const inside = (pod: Pod, script: string) =>
  pod.exec(['sh', '-c', `eval "$(${installFluxPod()}/flux-pod env)"; ${script}`]);

async function byCopies(pod: Pod, count: number): Promise<number> {
  const startedAt = performance.now();
  const response = await fetch(`http://${pod.address}:8052/v1/jobs/cc`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ cc: `1-${count}`, job: { command: ['true'] } }),
  });
  if (response.status !== 201) throw new Error(await response.text());
  await response.text();
  return count / ((performance.now() - startedAt) / 1000);
}

async function bySubmitCc(pod: Pod, count: number): Promise<number> {
  const startedAt = performance.now();
  const { code, stderr } = await inside(pod, `flux submit --quiet --cc=1-${count} true`);
  if (code !== 0) throw new Error(stderr);
  return count / ((performance.now() - startedAt) / 1000);
}

async function byProcesses(pod: Pod): Promise<number> {
  const count = 20;
  const startedAt = performance.now();
  await inside(pod, `i=0; while [ $i -lt ${count} ]; do flux submit --quiet true; i=$((i+1)); done`);
  return count / ((performance.now() - startedAt) / 1000);
}

/** Opens `/v1/events` and counts what comes. */
function openEvents(pod: Pod, reader: string): Promise<{ events: () => number; close: () => void }> {
  return new Promise((resolve, reject) => {
    let events = 0;
    const headers = { authorization: `Bearer ${reader}` };
    const ask = get(
      { host: pod.address, port: 8052, path: '/v1/events', headers, agent: false },
      (response) => {
        if (response.statusCode !== 200) reject(new Error(`the API says ${response.statusCode}`));
        response.on('error', () => undefined);
        response.setEncoding('utf8').on('data', (text: string) => {
          events += text.split('\n\n').length - 1;
        });
        resolve({ events: () => events, close: () => ask.destroy() });
      },
    );
    ask.on('error', reject);
  });
}

function ask(pod: Pod, path: string, port = 8052): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ host: pod.address, port, path, headers: { authorization: `Bearer ${token}` } }, (response) =>
      response.resume().once('end', resolve).once('error', reject),
    ).once('error', reject);
  });
}

/** Milliseconds, the median of some tries. */
async function timed(act: () => Promise<void>): Promise<number> {
  const all: number[] = [];
  for (let tries = 0; tries < 21; tries++) {
    const startedAt = performance.now();
    await act();
    all.push(performance.now() - startedAt);
  }
  return medianOf(all);
}

const mebibytes = (proc: string): string => (heldKb(proc, 'VmRSS') / 1024).toFixed(1);
