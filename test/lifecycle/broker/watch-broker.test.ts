import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { connectFlux } from '../../../agent/flux/client.ts';
import { Flag, MessageType } from '../../../agent/flux/constants.ts';
import { createBrokerStatus } from '../../../agent/health/broker-status.ts';
import { waitForSocket } from '../../../agent/lifecycle/broker/wait-for-socket.ts';
import { noteExit, watchBroker } from '../../../agent/lifecycle/broker/watch-broker.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';
import { type FakeBroker, type FakeConnection, startFakeBroker } from '../../support/flux/fake-broker.ts';

const runs = 5;

/** A broker in state `run`, which answers what the watch asks. `onMonitor` is called when its states are watched. */
const brokerThatRuns = (onMonitor: (connection: FakeConnection) => void = () => undefined) =>
  startFakeBroker({
    onRequest: (request, connection) => {
      if (request.topic === 'state-machine.get') connection.respond(request, { state: 'run', duration: 1 });
      else if (request.topic === 'state-machine.monitor') {
        connection.respond(request, { state: runs });
        onMonitor(connection);
      } else if ((request.flags & Flag.noResponse) === 0) connection.respond(request, undefined, 38);
    },
  });

function watched({ path }: FakeBroker, { now, leads = true }: { now?: () => number; leads?: boolean } = {}) {
  const broker = createBrokerStatus(27);
  const life = new AbortController();
  const watch = watchBroker(broker, {
    connect: (signal) =>
      waitForSocket([path], { attempt: (there) => connectFlux(there, { signal }), signal }),
    leads,
    signal: life.signal,
    log: recordedLog(),
    ...(now && { now }),
  });
  return { broker, watch, end: () => life.abort() };
}

describe('the watch over a broker', () => {
  it('takes no broker for silent where it is this process that has not run for so long', async () => {
    let asked = 0;
    await using fake = await startFakeBroker({
      onRequest: (request, connection) => {
        if (request.topic === 'state-machine.monitor') connection.respond(request, { state: runs });
        if (request.topic !== 'state-machine.get') return;
        connection.respond(request, { state: 'run', duration: 1 });
        // The response is in the socket, and nobody reads.
        if (++asked === 2) for (const end = performance.now() + 300; performance.now() < end; );
      },
    });
    const { broker, watch, end } = watched(fake);
    await expect.poll(() => broker.states.length).toBe(6);
    await watch.pulse();
    expect(asked).toBe(2);
    expect(broker.silentSince).toBeUndefined();
    end();
    await watch.ended;
  });

  it('keeps which children have ever joined', async () => {
    const overlay = (...statuses: string[]) => ({
      rank: 0,
      status: 'partial',
      duration: 1,
      children: statuses.map((status, index) => ({ rank: index + 1, status, duration: 1 })),
    });
    await using fake = await startFakeBroker({
      onRequest: (request, connection) => {
        if (request.topic === 'state-machine.monitor') connection.respond(request, { state: runs });
        if (request.topic === 'state-machine.get') connection.respond(request, { state: 'run', duration: 1 });
        if (request.topic !== 'overlay.health') return;
        connection.respond(request, overlay('full', 'offline', 'partial', 'unknown'));
        connection.respond(request, overlay('offline', 'offline', 'lost', 'offline'));
      },
    });
    const { broker, watch, end } = watched(fake);
    await expect.poll(() => broker.overlay?.children[2]?.status).toBe('lost');
    expect([...broker.joined]).toEqual([1, 3]);
    end();
    await watch.ended;
  });

  it('notes the states that it has missed, and the last ones when the broker has exited', async () => {
    await using fake = await brokerThatRuns();
    const { broker, watch, end } = watched(fake);
    await expect.poll(() => broker.states.length).toBe(6);
    end();
    await watch.ended;
    broker.states.push({ state: 'goodbye', since: broker.startedAt });
    noteExit(broker, broker.startedAt);
    expect(broker.states.map(({ state }) => state)).toEqual([
      'load-builtins',
      'join',
      'config-sync',
      'init',
      'quorum',
      'run',
      'goodbye',
      'unload-builtins',
      'exit',
    ]);
  });

  it('sends one request for any number of probes, every 100 ms at most, and notes since when no response comes', async () => {
    let asked = 0;
    let answers = true;
    await using fake = await startFakeBroker({
      onRequest: (request, connection) => {
        if (request.topic === 'state-machine.monitor') connection.respond(request, { state: runs });
        if (request.topic !== 'state-machine.get') return;
        asked++;
        if (answers) connection.respond(request, { state: 'run', duration: 1 });
      },
    });
    let now = 1000;
    const { broker, watch, end } = watched(fake, { now: () => now });
    await expect.poll(() => broker.states.length).toBe(6);
    asked = 0;
    const pulses = () => Promise.all(Array.from({ length: 1000 }, () => watch.pulse()));
    await pulses();
    now = 1099;
    await pulses();
    expect({ asked, silent: broker.silentSince }).toEqual({ asked: 1, silent: undefined });
    answers = false;
    now = 1100;
    await pulses();
    expect({ asked, silent: broker.silentSince }).toEqual({ asked: 2, silent: 1100 });
    // No further request is sent while a response is overdue.
    now = 2000;
    await pulses();
    expect(asked).toBe(2);
    end();
    await watch.ended;
  });

  it('does not ask one that reports its states and has been heard: by a response, or by a heartbeat', async () => {
    let asked = 0;
    await using fake = await startFakeBroker({
      onRequest: (request, connection) => {
        if (request.topic === 'state-machine.monitor') connection.respond(request, { state: runs });
        else if (request.topic === 'heartbeat.stats-get') connection.respond(request, { period: 2 });
        else if (request.topic === 'event.subscribe') connection.respond(request);
        if (request.topic !== 'state-machine.get') return;
        asked++;
        connection.respond(request, { state: 'run', duration: 1 });
      },
    });
    let now = 1000;
    const { broker, watch, end } = watched(fake, { now: () => now, leads: false });
    await expect.poll(() => broker.states.length).toBe(6);
    const askedAt = async (at: number): Promise<number> => {
      asked = 0;
      now = at;
      await watch.pulse(2500);
      return asked;
    };
    expect([await askedAt(10_000), await askedAt(12_499), await askedAt(12_500)]).toEqual([1, 0, 1]);
    now = 20_000;
    const heartbeat = {
      type: MessageType.event,
      topic: 'heartbeat.pulse',
      flags: 0,
      userid: 1,
      rolemask: 1,
      sequence: 1,
    };
    fake.connections[0]?.send(heartbeat);
    await expect.poll(() => broker.heartbeat?.at).toBe(20_000);
    expect([await askedAt(22_499), await askedAt(22_500)]).toEqual([0, 1]);
    // Whoever wants to know asks all the same.
    asked = 0;
    now = 23_000;
    await watch.pulse();
    expect(asked).toBe(1);
    end();
    await watch.ended;
  });

  it('notes the responses of a broker that has refused to report its changes', async () => {
    const [EPERM, EAGAIN] = [1, 11];
    let state = 'join';
    await using fake = await startFakeBroker({
      onRequest: (request, connection) => {
        if (request.topic === 'state-machine.get') return connection.respond(request, { state, duration: 1 });
        if (request.topic === 'state-machine.monitor')
          return connection.respond(request, undefined, state === 'join' ? EAGAIN : EPERM);
        if ((request.flags & Flag.noResponse) === 0) connection.respond(request, undefined, EPERM);
      },
    });
    const { broker, watch, end } = watched(fake);
    await expect.poll(() => broker.states.at(-1)?.state).toBe('join');
    state = 'init';
    await expect.poll(() => broker.states.at(-1)?.state).toBe('init');
    for (state of ['quorum', 'run', 'cleanup']) {
      const asked = async () => {
        await watch.pulse(Number.POSITIVE_INFINITY);
        return broker.states.at(-1)?.state;
      };
      await expect.poll(asked).toBe(state);
    }
    end();
    await watch.ended;
  });

  it('takes no state for confirmed once the connection that reported it has ended', async () => {
    await using fake = await brokerThatRuns();
    const broker = createBrokerStatus(27);
    const life = new AbortController();
    const client = await connectFlux(fake.path);
    const connections = [client];
    const { ended, pulse } = watchBroker(broker, {
      connect: async () => connections.pop(),
      leads: true,
      signal: life.signal,
      log: recordedLog(),
    });
    await expect.poll(() => broker.states.at(-1)?.state).toBe('run');
    await pulse();
    expect(broker.confirmed).toBe(true);
    client.close();
    await ended;
    expect(broker.confirmed).toBe(false);
  });

  it('connects a thousand times anew, and holds no more files than before', async () => {
    let connected = 0;
    await using fake = await brokerThatRuns(({ socket }) => {
      connected++;
      if (connected < 1000) socket.end();
    });
    const files = () => readdirSync('/proc/self/fd').length;
    const before = files();
    const { broker, watch, end } = watched(fake);
    await expect.poll(() => connected, { timeout: 30_000 }).toBe(1000);
    await watch.pulse();
    expect(broker.states).toHaveLength(6);
    end();
    await watch.ended;
    for (const { socket } of fake.connections) socket.destroy();
    await expect.poll(files).toBeLessThanOrEqual(before);
  }, 60_000);
});
