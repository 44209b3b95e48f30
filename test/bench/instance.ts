/**
 * A real instance of 64 brokers, each pod in namespaces of its own with its record 1 s late; then the links of as many simulated children as a
 * flat tree can have, to one agent.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { openParentLink } from '../../agent/parent-link/child-end.ts';
import { key, patient } from '../support/agent/parent-links.ts';
import { agentProc, heldKb } from '../support/bed/agent-process.ts';
import { bedUnavailable, createBed } from '../support/bed/bed.ts';
import { realFlux, startMiniCluster } from '../support/project/flux-pod.ts';
import { row } from './table.ts';

const size = 64;
const linkCounts = [0, 63, 1000, 10_000];
/** All children are at one address here, which may have 16 connections that have not proven anything. */
const atOnce = 8;

export async function instance(): Promise<void> {
  await realInstance();
  await simulatedChildren();
}

async function realInstance(): Promise<void> {
  const unavailable = bedUnavailable();
  const flux = realFlux();
  if (unavailable || !flux)
    return console.log(`instance: SKIPPED, ${unavailable ?? 'there is no real flux'}`);
  await using bed = await createBed({ dns: { negativeTtl: 30, positiveTtl: 30, servicePort: 8050 } });
  const startedAt = performance.now();
  const pods = startMiniCluster(bed, {
    size,
    flux,
    command: ['sh', '-c', 'echo up; exec sleep 1000000'],
    pod: () => ({ publishAfter: 1000 }),
  });
  const [leader] = pods;
  if (!leader) throw new RangeError('an instance has a leader');
  await leader.waitForOutput(/^up$/m, 1_200_000);
  const seconds = (performance.now() - startedAt) / 1000;
  const { length: questions } = bed.nameserver.queries;
  const memory = (what: 'RssAnon' | 'VmRSS') => (heldKb(agentProc(leader), what) / 1024).toFixed(1);
  console.log(`a real instance of ${size} brokers, records 1 s late`);
  console.log(row('', ['up, s', 'questions', 'a pod', 'MiB', 'RSS']));
  console.log(
    row(`${size} pods, the leader’s agent`, [
      seconds.toFixed(1),
      String(questions),
      (questions / size).toFixed(1),
      memory('RssAnon'),
      memory('VmRSS'),
    ]),
  );
  await Promise.all(pods.map((pod) => pod.kill()));
}

async function simulatedChildren(): Promise<void> {
  const parent = fork(join(import.meta.dirname, 'parent-agent.ts'), [String(Math.max(...linkCounts) + 1)], {
    execArgv: ['--max-semi-space-size=2'],
  });
  try {
    const [port]: number[] = await once(parent, 'message');
    console.log('parent links to one agent');
    console.log(row('', ['MiB', 'RSS', 'KiB a link', 'opened, s']));
    const { signal } = new AbortController();
    const held = () => heldKb(`/proc/${parent.pid}`, 'RssAnon');
    const alone = held();
    let opened = 0;
    for (const count of linkCounts) {
      const startedAt = performance.now();
      const open = async () => {
        while (opened < count) {
          const child = ++opened;
          const link = await openParentLink(
            { host: '127.0.0.1', port: Number(port) },
            { key, ranks: { parent: 0, child }, signal, onMessage: () => undefined, deadlines: patient },
          );
          if (typeof link === 'string') throw new Error(`child ${child} has no link: it is ${link}`);
        }
      };
      await Promise.all(Array.from({ length: atOnce }, open));
      const seconds = (performance.now() - startedAt) / 1000;
      console.log(
        row(`${count} links`, [
          (held() / 1024).toFixed(1),
          (heldKb(`/proc/${parent.pid}`, 'VmRSS') / 1024).toFixed(1),
          count === 0 ? '-' : ((held() - alone) / count).toFixed(1),
          seconds.toFixed(1),
        ]),
      );
    }
  } finally {
    parent.kill('SIGKILL');
  }
}
