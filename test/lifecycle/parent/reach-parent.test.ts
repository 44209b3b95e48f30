import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { membershipOf } from '../../../agent/broker/membership.ts';
import { createPodState } from '../../../agent/health/pod-state.ts';
import type { Event } from '../../../agent/lifecycle/machine.ts';
import { reachParent } from '../../../agent/lifecycle/parent/reach-parent.ts';
import { createLog } from '../../../agent/log.ts';
import { configurationOf, type Given } from '../../support/agent/configuration.ts';
import { key, listen, listening, startParent } from '../../support/agent/parent-links.ts';

/** Reaches for a parent whose agent has this port. */
function reachAt(http: string, more: Given = {}) {
  const configuration = configurationOf({ size: 10, index: 1, http, nameservers: '127.0.0.1:9', ...more });
  const events: Event[] = [];
  const waiting = new Set<() => void>();
  const reach = reachParent(
    {
      pod: {
        membership: membershipOf(configuration),
        environment: {},
        linkKey: async () => key,
      },
      configuration,
      podState: createPodState(configuration, []).writer,
      connection: { parentIsSilent: () => false },
      log: createLog({ level: 'silent', format: 'json', base: {} }),
    },
    (event) => {
      events.push(event);
      for (const look of waiting) look();
    },
  );
  const until = (kind: Event['kind'], times = 1) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (events.filter((event) => event.kind === kind).length >= times) resolve();
      };
      waiting.add(look);
      look();
    });
  return { ...reach, events, until, kinds: () => events.map((event) => event.kind) };
}

/** Opens a link, over which the parent announces that it stops; `linked` is fulfilled when the link has ended. */
async function hearThatItStops(parent: Awaited<ReturnType<typeof startParent>>) {
  parent.begin(key);
  const reach = reachAt(`127.0.0.1:${parent.port}`);
  const linked = reach.openLink('127.0.0.1');
  parent.announce({ kind: 'stopping', signal: 'SIGTERM' });
  await reach.until('announced');
  return { reach, linked };
}

describe('the link to the parent', () => {
  it('is opened, brings what the parent announces, and breaks', async () => {
    await using parent = await startParent();
    const { reach, linked } = await hearThatItStops(parent);
    parent.interrupt();
    await linked;
    expect(reach.kinds()).toEqual(['link opened', 'announced', 'link broken']);
  });

  it('names another broker process at the same address', async () => {
    await using parent = await startParent();
    const reach = reachAt(`127.0.0.1:${parent.port}`);
    for (const times of [1, 2]) {
      parent.begin(key);
      const linked = reach.openLink('127.0.0.1');
      await reach.until('link opened', times);
      parent.interrupt();
      await linked;
    }
    const [first, second] = reach.events.flatMap((event) =>
      event.kind === 'link opened' ? [event.incarnation] : [],
    );
    expect(first).toBeTypeOf('string');
    expect(second).toBeTypeOf('string');
    expect(first).not.toBe(second);
  });

  it('announces nothing that comes after it was closed', async () => {
    await using parent = await startParent();
    const { reach, linked } = await hearThatItStops(parent);
    reach.closeLink();
    await linked;
    parent.announce({ kind: 'outcome', code: 0, sentence: 'The program exited with code 0' });
    // Fulfilled when the child has closed its link.
    await parent.settled(60_000, []);
    expect(reach.kinds()).toEqual(['link opened', 'announced']);
  });

  it('is heard until the next has been opened, which closes it', async () => {
    await using parent = await startParent();
    parent.begin(key);
    const reach = reachAt(`127.0.0.1:${parent.port}`);
    const first = reach.openLink('127.0.0.1');
    await reach.until('link opened');
    await using _silent = await listening(createServer(), parent.port, '127.0.0.2');
    await reach.openLink('127.0.0.2');
    parent.announce({ kind: 'ending' });
    await reach.until('announced');
    const second = reach.openLink('127.0.0.1');
    await first;
    // Also over the second, as to each child that comes later.
    await reach.until('announced', 2);
    expect(reach.kinds()).toEqual(['link opened', 'no link', 'announced', 'link opened', 'announced']);
    reach.closeLink();
    await second;
  });

  it('is no event when it is closed before the peer has answered', async () => {
    const asked = Promise.withResolvers<void>();
    await using server = await listen((socket) => socket.once('data', () => asked.resolve()));
    const reach = reachAt(`127.0.0.1:${server.port}`);
    const linked = reach.openLink('127.0.0.1');
    await asked.promise;
    reach.closeLink();
    await linked;
    expect(reach.events).toEqual([]);
  });

  it('is not tried with FLUX_POD_HTTP=off', async () => {
    const reach = reachAt('off');
    await reach.openLink('127.0.0.1');
    expect(reach.events).toEqual([{ kind: 'no link', why: 'unavailable', parentIsSilent: false }]);
  });
});

describe('the search for the parent', () => {
  it('passes over the addresses at which a foreign instance answers', async () => {
    await using server = await listen(() => undefined);
    const known = ['127.0.0.1'];
    const reach = reachAt('off', { port: server.port });
    await reach.find({ do: 'find parent', known });
    expect(reach.kinds()).toEqual(['parent found']);
    const limited = reachAt('off', { port: server.port, peerTimeout: '300ms' });
    await limited.find({ do: 'find parent', known, foreign: known });
    expect(limited.kinds()).toEqual(['parent not found']);
  });

  it.each(['at once', 'later'])('is no event when it is stopped %s', async (when) => {
    await using parent = await startParent();
    const reach = reachAt(`127.0.0.1:${parent.port}`);
    const search = reach.find({ do: 'find parent' });
    if (when === 'later') await new Promise((resolve) => setImmediate(resolve));
    reach.stopFinding();
    await search;
    expect(reach.events).toEqual([]);
  });
});
