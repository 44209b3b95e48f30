import { describe, expect, it } from 'vitest';
import { connectFlux } from '../../../agent/flux/client.ts';
import { Errno } from '../../../agent/flux/errors.ts';
import type { BrokerState } from '../../../agent/flux/services/state-machine.ts';
import { drainSelf, undrainSelf } from '../../../agent/lifecycle/stop/drain.ts';
import { patience } from '../../support/agent/raw-client.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';
import { fakeClient } from '../../support/flux/fake-client.ts';
import { startFakeResources } from '../../support/flux/fake-resources.ts';

const reason = 'flux-pod: the pod is stopping';

describe('a node whose pod stops', () => {
  it('keeps the drain of a user, also one without a reason', async () => {
    await using broker = await startFakeResources(4);
    broker.drained.set(3, '');
    using client = await connectFlux(broker.path);
    await drainSelf({ client: () => client, state: () => 'run' }, 3, recordedLog());
    expect([...broker.drained]).toEqual([[3, '']]);
  });

  it('is drained, with a reason that distinguishes it from an administrator’s', async () => {
    await using broker = await startFakeResources(4);
    broker.drained.set(2, 'memory is broken');
    using client = await connectFlux(broker.path);
    await drainSelf({ client: () => client, state: () => 'run' }, 3, recordedLog());
    expect(broker.asked).toEqual(['drain 3']);
    expect(broker.drained.get(3)).toBe(reason);
  });

  it.each<BrokerState | undefined>([undefined, 'join', 'quorum', 'shutdown'])(
    'is not drained by a broker in state %s, which would not answer',
    async (state) => {
      const client = fakeClient();
      await drainSelf({ client: () => client, state: () => state }, 3, recordedLog());
      expect(client.requests).toEqual([]);
    },
  );

  it('stops all the same without a connection, and where the drain fails', async () => {
    const log = recordedLog();
    await drainSelf({ client: () => undefined, state: () => 'run' }, 3, log);
    expect(log.lines).toEqual([]);
    const client = fakeClient({ 'resource.status': new Error('no such service') });
    await drainSelf({ client: () => client, state: () => 'run' }, 3, log);
    expect(log.lines.map(([level]) => level)).toEqual(['debug']);
  });
});

describe('a node whose broker runs again', () => {
  const R = { execution: { R_lite: [], nodelist: [] } };
  const drained = (drain: Readonly<Record<string, string>>) =>
    fakeClient({
      'resource.status': {
        ...{ R, online: '0-7', offline: '', exclude: '' },
        drain: Object.fromEntries(
          Object.entries(drain).map(([ranks, why]) => [ranks, { timestamp: 1, reason: why }]),
        ),
      },
    });
  const undrained = async (client: ReturnType<typeof drained>, rank: number) => {
    await undrainSelf(client, rank, { stop: new AbortController().signal, log: recordedLog() });
    return client.requests.filter(([topic]) => topic === 'resource.undrain');
  };

  it('takes jobs again where flux-pod has drained it, alone or with others', async () => {
    expect(await undrained(drained({ '2-3,7': reason }), 3)).toEqual([
      ['resource.undrain', { targets: '3' }],
    ]);
  });

  it.each<[string, Readonly<Record<string, string>>, number]>([
    ['an administrator has drained', { '3': 'memory is broken' }, 3],
    ['is not among those that are drained', { '2,4': reason }, 3],
    ['is the leader’s, which is never drained alone', { '0': reason }, 0],
  ])('is left as it is where it %s', async (_, drain, rank) => {
    expect(await undrained(drained(drain), rank)).toEqual([]);
  });

  /** A node that is drained, while the status of nodes is refused. */
  async function refused() {
    const broker = await startFakeResources(4);
    broker.drained.set(3, reason);
    broker.refused.set('resource.status', Errno.noService);
    const client = await connectFlux(broker.path);
    const life = new AbortController();
    const options = { stop: life.signal, log: recordedLog(), retry: { first: 1, most: 5 } };
    const ended = undrainSelf(client, 3, options);
    await expect.poll(() => broker.topics.length, patience).toBeGreaterThan(3);
    return {
      broker,
      client,
      ended,
      stop: () => life.abort(),
      [Symbol.asyncDispose]: broker[Symbol.asyncDispose],
    };
  }

  it('takes jobs again as soon as rank 0 answers', async () => {
    await using node = await refused();
    node.broker.refused.clear();
    await node.ended;
    expect([node.broker.asked, node.broker.drained.size]).toEqual([['undrain 3'], 0]);
    node.client.close();
  });

  it('asks no longer when the connection has closed, or the pod stops', async () => {
    await using closed = await refused();
    closed.client.close();
    await closed.ended;
    await using stopped = await refused();
    stopped.stop();
    await stopped.ended;
    stopped.client.close();
    expect([closed, stopped].map(({ broker }) => broker.drained.size)).toEqual([1, 1]);
  });

  it('stays drained where the pod stops before it is known that it is drained', async () => {
    await using broker = await startFakeResources(4);
    broker.drained.set(3, reason);
    using client = await connectFlux(broker.path);
    const life = new AbortController();
    broker.before.set('resource.status', () => life.abort());
    await undrainSelf(client, 3, { stop: life.signal, log: recordedLog() });
    expect([broker.topics, broker.asked]).toEqual([['resource.status'], []]);
  });
});
