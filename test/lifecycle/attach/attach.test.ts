import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { attach } from '../../../agent/lifecycle/attach/attach.ts';
import type { SignalProcess } from '../../../agent/lifecycle/stop/signals.ts';
import { configurationOf, type Given } from '../../support/agent/configuration.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';
import { brokerWith } from '../../support/flux/attributed-broker.ts';
import { startFakeBroker } from '../../support/flux/fake-broker.ts';

const leader = {
  ...{ rank: '0', size: '2', hostlist: 'mc-[0-1]', hostname: 'mc-0', 'tbon.topo': 'custom' },
  ...{ 'broker.quorum': '1', 'broker.pid': '27' },
};

/** An agent that looks for a broker at `socket`. */
function begin(socket: string, set: Given = {}) {
  const place = mkdtempSync(join(tmpdir(), 'flux-pod-attach-'));
  onTestFinished(() => rmSync(place, { recursive: true, force: true }));
  const log = recordedLog();
  const listeners = new Map<string, () => void>();
  const own: SignalProcess = {
    on: (signal, listener) => listeners.set(signal, listener),
    kill: () => true,
  };
  const outcome = attach(configurationOf({ http: 'off', dir: place, socket, ...set }), log, own);
  onTestFinished(async () => {
    listeners.get('SIGTERM')?.();
    await outcome;
  });
  const ask = (path: string) =>
    new Promise<string>((resolve) => {
      const socketPath = join(place, 'agent.sock');
      request({ socketPath, path, agent: false }, async (response) => {
        let text = '';
        for await (const piece of response) text += piece;
        resolve(text);
      })
        .once('error', () => resolve('{}'))
        .end();
    });
  const status = async (): Promise<Readonly<Record<string, Record<string, unknown>>>> =>
    JSON.parse(await ask('/status'));
  const logged = () => log.lines.map(([level, sentence]) => `${level}: ${sentence}`);
  return { outcome, ask, status, logged };
}

const soon = { timeout: 10_000 };

describe('an agent that is attached to a broker of another program', () => {
  it('shows the broker’s instance, and exits with 0 once the broker has exited and none follows', async () => {
    const broker = await startFakeBroker(brokerWith(leader));
    const { outcome, status, logged } = begin(broker.path, { linger: '50ms' });
    await expect
      .poll(async () => (await status()).instance, soon)
      .toMatchObject({ rank: 0, size: 2, quorum: 1 });
    await expect.poll(async () => (await status()).broker, soon).toMatchObject({ pid: 27, state: 'run' });
    await broker[Symbol.asyncDispose]();
    expect(await outcome).toMatchObject({
      code: 0,
      sentence: 'There is no broker any more: none has started again within 0.05 s (FLUX_POD_LINGER)',
    });
    expect(logged()).toContain('warn: The broker no longer answers');
  });

  it('counts the jobs by state where the broker is the leader’s', async () => {
    const { onRequest, ...rest } = brokerWith(leader);
    const job_states = { depend: 0, priority: 0, sched: 0, run: 2, cleanup: 0, inactive: 0, total: 2 };
    await using broker = await startFakeBroker({
      ...rest,
      onRequest: (asked, connection) => {
        if (asked.topic !== 'job-list.job-stats') return onRequest?.(asked, connection);
        connection.respond(asked, { job_states, successful: 0, failed: 0, canceled: 0, timeout: 0 });
      },
    });
    const { ask } = begin(broker.path);
    await expect.poll(() => ask('/metrics'), soon).toContain('flux_pod_jobs{state="run"} 2');
  });

  it('shows why it waits while there is no broker', async () => {
    const { status } = begin('/no/such/socket');
    await expect
      .poll(async () => (await status()).attachment, soon)
      .toEqual({ sockets: ['/no/such/socket'], obstacle: 'no such socket: /no/such/socket' });
    expect((await status()).phase).toMatchObject({ name: 'await-broker' });
  });
});
