import { describe, expect, it, vi } from 'vitest';
import { membershipOf } from '../../../agent/broker/membership.ts';
import type { LogLine } from '../../../agent/flux/services/broker-log.ts';
import type { BrokerState } from '../../../agent/flux/services/state-machine.ts';
import { ownBroker } from '../../../agent/lifecycle/broker/own-broker.ts';
import { configurationOf } from '../../support/agent/configuration.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';
import { fakeClient } from '../../support/flux/fake-client.ts';

const reason = '<27>1 2026-11-26T04:35:50.671220Z 0 broker 23868 - - rc1.0: no such module';
const R = { execution: { R_lite: [], nodelist: [] } };

/** The broker of this rank enters these states, one after the other. */
async function enters(index: number, states: readonly BrokerState[]) {
  const configuration = configurationOf({ size: 4, index });
  const drain = { [index]: { timestamp: 1, reason: 'flux-pod: the pod is stopping' } };
  const client = fakeClient({
    'log.dmesg': [reason],
    'resource.status': { R, drain, online: '0-3', offline: '', exclude: '' },
  });
  const entered: BrokerState[] = [];
  const logs: Promise<readonly LogLine[]>[] = [];
  const { onState, leads } = ownBroker(
    { pid: 27, ended: new Promise(() => undefined), signal: () => undefined, kill: () => undefined },
    {
      ...{ socket: '', configuration, membership: membershipOf(configuration), log: recordedLog() },
      stop: new AbortController().signal,
      connection: { online: () => undefined },
      onShutdown: (log) => void logs.push(log),
      onState: (state) => void entered.push(state),
    },
  );
  for (const state of states) onState?.(state, client);
  await vi.dynamicImportSettled();
  return {
    entered,
    leads,
    logs: await Promise.all(logs),
    topics: () => client.requests.map(([topic]) => topic),
  };
}

describe('the broker that this agent has started', () => {
  it('reports each of its states', async () => {
    const { entered, leads } = await enters(0, ['join', 'init', 'run']);
    expect(entered).toEqual(['join', 'init', 'run']);
    expect(leads).toBe(true);
  });

  it('has its log read where it shuts down and has not run: it has the reason', async () => {
    const { logs } = await enters(0, ['join', 'init', 'shutdown']);
    expect(logs).toEqual([[{ severity: 3, component: 'broker', text: 'rc1.0: no such module' }]]);
  });

  it.each<[string, number, readonly BrokerState[]]>([
    ['it has run', 0, ['run', 'cleanup', 'shutdown']],
    ['it was first seen in cleanup', 0, ['cleanup', 'shutdown']],
    ['it is a follower’s', 1, ['join', 'shutdown']],
  ])('has its log not read where %s', async (_, index, states) => {
    expect((await enters(index, states)).logs).toEqual([]);
  });

  it('takes jobs again once it runs, on a follower', async () => {
    const { topics } = await enters(1, ['join', 'run']);
    await expect.poll(topics).toContain('resource.status');
  });
});
