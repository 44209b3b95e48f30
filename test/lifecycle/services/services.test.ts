import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { membershipOf } from '../../../agent/broker/membership.ts';
import { connectFlux } from '../../../agent/flux/client.ts';
import { createHealth } from '../../../agent/health/health.ts';
import { type ServicesOptions, startServices } from '../../../agent/lifecycle/services/services.ts';
import { configurationOf, type Given } from '../../support/agent/configuration.ts';
import {
  key as controllerLinkKey,
  openLink as openControllerLink,
} from '../../support/agent/controller-links.ts';
import { freePort, patience } from '../../support/agent/raw-client.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';
import { startFakeBroker } from '../../support/flux/fake-broker.ts';
import { fakeClient } from '../../support/flux/fake-client.ts';

/** The services of a pod whose broker answers how many jobs there are. */
async function start(set: Given, more: Partial<ServicesOptions> = {}) {
  const place = mkdtempSync(join(tmpdir(), 'flux-pod-services-'));
  const configuration = configurationOf({ http: 'off', ...set });
  const log = recordedLog();
  const job_states = { depend: 0, priority: 0, sched: 0, run: 2, cleanup: 0, inactive: 0, total: 2 };
  const client = fakeClient({
    'job-list.job-stats': { job_states, successful: 0, failed: 0, canceled: 0, timeout: 0 },
  });
  const agentSocket = join(place, 'agent.sock');
  const services = await startServices({
    ...{ configuration, membership: membershipOf(configuration), agentSocket, log },
    health: createHealth(configuration, [{ phase: 'broker', since: 0 }]),
    connection: {
      pulse: async () => undefined,
      client: () => client,
      leads: () => configuration.index === 0,
    },
    ...more,
  });
  onTestFinished(() => {
    services.close();
    rmSync(place, { recursive: true, force: true });
  });
  const ask = (path: string, method = 'GET') =>
    new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      request({ socketPath: agentSocket, path, method, agent: false }, async (response) => {
        let text = '';
        for await (const piece of response) text += piece;
        resolve({ status: response.statusCode, text });
      })
        .once('error', reject)
        .end();
    });
  return { services, ask, log, client };
}

describe('the services of a pod', () => {
  it('serve its status on the local socket, and on a leader the jobs by state', async () => {
    const { ask } = await start({ size: 4 });
    expect((await ask('/status')).status).toBe(200);
    expect((await ask('/metrics')).text).toContain('flux_pod_jobs{state="run"} 2');
  });

  it('ask no broker for jobs on a follower', async () => {
    const { ask, client } = await start({ size: 4, index: 1 });
    expect((await ask('/metrics')).text).not.toContain('flux_pod_jobs');
    expect(client.requests).toEqual([]);
  });

  it.each<[string, Given, boolean]>([
    ['the leader of four', { size: 4 }, true],
    ['a follower with children', { size: 4, index: 1, topo: 'kary:1' }, true],
    ['a follower without children', { size: 4, index: 3 }, false],
    ['a single pod', { size: 1 }, false],
    ['a leader of four without HTTP', { size: 4, http: 'off' }, false],
  ])('have parent links for children alone: %s', async (_, set, expected) => {
    const { services } = await start({ http: `127.0.0.1:${await freePort()}`, ...set });
    expect(services.links !== undefined).toBe(expected);
  });

  it('let a controller have a link to the leader, and to no other pod', async () => {
    const answers: string[] = [];
    for (const index of [0, 1]) {
      const port = await freePort();
      const controllers = { key: async () => controllerLinkKey, socket: '/no/such/broker', isElastic: false };
      await start(
        { size: 4, index, http: `127.0.0.1:${port}` },
        { controllers: index === 0 ? controllers : undefined },
      );
      const link = await openControllerLink({ host: '127.0.0.1', port }, {});
      answers.push(typeof link === 'string' ? link : 'a link');
      if (typeof link !== 'string') link.release();
    }
    expect(answers).toEqual(['a link', 'foreign']);
  });

  it('watch the queue where the instance is elastic, and only there', async () => {
    for (const isElastic of [false, true]) {
      await using broker = await startFakeBroker();
      const controllers = { key: async () => controllerLinkKey, socket: broker.path, isElastic };
      const { services } = await start({ size: 4 }, { controllers });
      if (isElastic) await expect.poll(() => broker.connections.length, patience).toBe(1);
      // One that is under way comes before another one.
      (await connectFlux(broker.path)).close();
      expect(broker.connections.length).toBe(isElastic ? 2 : 1);
      services.close();
    }
  });

  it('start without a server that cannot start: it is an error of the log', async () => {
    const { log, services } = await start({}, { agentSocket: '/proc/no/such/place/agent.sock' });
    expect(log.lines.some(([level]) => level === 'error')).toBe(true);
    expect(services.links).toBeUndefined();
  });

  it.each<[string, boolean, number]>([
    ['is held', true, 200],
    ['is not held', false, 409],
  ])('release a pod that %s', async (_, isHeld, status) => {
    let released = false;
    const release = () => {
      released = true;
    };
    const { ask } = await start({}, { hold: { isHeld: () => isHeld, release } });
    expect((await ask('/release', 'POST')).status).toBe(status);
    await expect.poll(() => released).toBe(isHeld);
  });

  it('release no pod that is never held', async () => {
    const { ask } = await start({});
    expect((await ask('/release', 'POST')).status).toBe(409);
  });
});
