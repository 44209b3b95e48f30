import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { BrokerProcess } from '../../../agent/broker/process/broker-process.ts';
import { openRunDirectory } from '../../../agent/broker/run-directory/run-directory.ts';
import { createHealth } from '../../../agent/health/health.ts';
import { createBrokerConnection } from '../../../agent/lifecycle/broker/connection.ts';
import { runBroker } from '../../../agent/lifecycle/broker/run-broker.ts';
import type { Event } from '../../../agent/lifecycle/machine.ts';
import { type PreparedPod, preparePod } from '../../../agent/lifecycle/prepare/prepare-pod.ts';
import type { Target } from '../../../agent/lifecycle/stop/signals.ts';
import type { Supervised } from '../../../agent/lifecycle/supervised.ts';
import { createLifecycle } from '../../../agent/pod/phase.ts';
import { fakeFlux } from '../../support/agent/agent.ts';
import { configurationOf } from '../../support/agent/configuration.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';

interface Options {
  readonly flux?: string;
  readonly certificate?: PreparedPod['certificate'];
  readonly cancelled?: AbortSignal;
  readonly onStart?: (broker: BrokerProcess) => void;
}

/** A single broker from its start to its exit; it is its program alone. */
async function broker(command: readonly string[], options: Options = {}) {
  const place = mkdtempSync(join(tmpdir(), 'flux-pod-run-broker-'));
  onTestFinished(() => rmSync(place, { recursive: true, force: true }));
  const flux = join(place, 'flux');
  writeFileSync(flux, options.flux ?? fakeFlux, { mode: 0o755 });
  const configuration = configurationOf({ dir: join(place, 'run'), flux, http: 'off' });
  const log = recordedLog();
  const openDirectory = () => openRunDirectory(configuration.dir, () => undefined);
  const prepared = await preparePod(configuration, command, process.env, openDirectory, log);
  const lifecycle = createLifecycle(log);
  lifecycle.enter('prepare');
  const { podState } = createHealth(configuration, lifecycle.history);
  const events: Event[] = [];
  const targets: (Target | undefined)[] = [];
  const supervised: Supervised = {
    ...{ configuration, lifecycle, podState, log, terminal: false },
    pod: { ...prepared, certificate: options.certificate },
    connection: createBrokerConnection(podState, log),
    signals: {
      stop: new AbortController().signal,
      stoppedBy: () => undefined,
      onStop: () => undefined,
      forwardTo: (target) => void targets.push(target),
    },
    startServices: () => Promise.reject(new Error('the machine starts them')),
    reread: { configFile: '', reconfigure: async () => configuration },
  };
  await runBroker(
    undefined,
    options.cancelled ?? new AbortController().signal,
    supervised,
    (event) => void events.push(event),
    options.onStart ?? (() => undefined),
  );
  return { events, targets, log };
}

describe('a broker process', () => {
  it.each([0, 3])('is two events: its start, and its exit with code %i', async (code) => {
    const { events } = await broker(['sh', '-c', `exit ${code}`]);
    expect(events).toEqual([
      { kind: 'broker started' },
      { kind: 'broker exited', ending: { code, signal: undefined }, failure: undefined },
    ]);
  });

  it('receives the forwarded signals from its start to its exit', async () => {
    const { targets } = await broker(['true']);
    expect(targets).toEqual([expect.objectContaining({ pass: expect.any(Function) }), undefined]);
  });

  it('exits by the signal that kills it', async () => {
    const { events } = await broker(['sleep', '1000'], { onStart: ({ kill }) => kill() });
    expect(events.at(-1)).toMatchObject({ ending: { code: 137, signal: 'SIGKILL' } });
  });

  it('that has not made its socket could not start, and the event has the reason', async () => {
    const { events } = await broker(['true'], { flux: '#!/bin/sh\nexit 1\n' });
    expect(events.at(-1)).toMatchObject({
      kind: 'broker exited',
      failure: {
        code: 71,
        sentence: 'The broker could not start: it exited with code 1 before it opened its socket',
      },
    });
  });

  it('is not started after the start was cancelled, which is no failure', async () => {
    const { events } = await broker(['true'], { cancelled: AbortSignal.abort(new Error('cancelled')) });
    expect(events).toEqual([{ kind: 'broker not started', outcome: undefined }]);
  });

  it('that cannot be executed is not started, and the event has the outcome', async () => {
    const { events } = await broker(['true'], { flux: '#!/no/such/interpreter\n' });
    expect(events).toEqual([{ kind: 'broker not started', outcome: expect.objectContaining({ code: 72 }) }]);
  });

  it('runs on while a damaged certificate is reported: the machine decides', async () => {
    const certificate = {
      check: () => Promise.reject(new Error('it is damaged')),
      renew: async () => undefined,
      isOutdated: async () => false,
      secretKey: () => '',
    };
    const { events } = await broker(['true'], { certificate });
    expect(events.map(({ kind }) => kind)).toEqual(['broker started', 'failed', 'broker exited']);
  });

  it('starts with a renewed certificate, which is a warning', async () => {
    const renewed = '/etc/flux-pod/curve/curve.cert has changed: the broker starts with it';
    const certificate = {
      check: async () => undefined,
      renew: async () => renewed,
      isOutdated: async () => false,
      secretKey: () => '',
    };
    const { log } = await broker(['true'], { certificate });
    expect(log.lines.map(([level, sentence]) => [level, sentence])).toContainEqual(['warn', renewed]);
  });
});
