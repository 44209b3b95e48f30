import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createObservations } from '../../agent/health/observations.ts';
import { type FindParent, type ParentWatch, watchParent } from '../../agent/lifecycle/watch-parent.ts';
import { createLog } from '../../agent/log.ts';
import { configurationOf } from '../support/configuration.ts';
import { key, listen, startParent } from '../support/parent-links.ts';

/** A search that ends with its signal, as findParent does. */
const findNothing: FindParent = async (signal) => {
  if (!signal.aborted) await once(signal, 'abort');
  throw signal.reason;
};

const watchOf = (port: number, signal: AbortSignal, more: Partial<ParentWatch> = {}): ParentWatch => ({
  address: { host: '127.0.0.1', port: 8050 },
  observations: createObservations(configurationOf({ size: 10, index: 1, http: `127.0.0.1:${port}` }), []),
  key,
  ranks: { parent: 0, child: 1 },
  signal,
  find: findNothing,
  onMessage: () => undefined,
  log: createLog({ level: 'silent', format: 'json', base: {} }),
  ...more,
});

describe('the watch over the parent', () => {
  it('opens links that break at once with growing pauses', async () => {
    await using parent = await startParent();
    parent.begin(key);
    const at: number[] = [];
    const enough = new AbortController();
    await using server = await listen((socket) => {
      at.push(performance.now());
      if (at.length === 7) enough.abort();
      const upstream = connect(parent.port, parent.host).on('error', () => undefined);
      upstream.pipe(socket);
      let seen = '';
      socket.setEncoding('latin1').on('data', (text: string) => {
        upstream.write(text);
        seen += text;
        // The last chunk of the request: the child has answered the challenge, and holds the link.
        if (seen.includes('0\r\n\r\n')) upstream.once('close', () => socket.destroy()).destroy();
      });
      socket.once('close', () => upstream.destroy());
    });
    expect(await watchParent(watchOf(server.port, enough.signal))).toBeUndefined();
    const [first = 0, last = 0] = [at[0], at.at(-1)];
    // 0, 50, 75, 112, 168 and 253 ms, each at most 1 ms too early.
    expect(last - first).toBeGreaterThan(650);
  });

  it('ends with its signal though the search for the parent does not, and the peer says nothing', async () => {
    const over = new AbortController();
    await using server = await listen((socket) => socket.once('data', () => over.abort()));
    const find: FindParent = () => new Promise(() => undefined);
    expect(await watchParent(watchOf(server.port, over.signal, { find }))).toBeUndefined();
  });

  it('resolves to the address where it listens, when another broker has taken its place', async () => {
    await using parent = await startParent();
    parent.begin(key);
    const over = new AbortController();
    const replaced = Promise.withResolvers<void>();
    const onMessage = () => replaced.resolve();
    const watching = watchParent(watchOf(parent.port, over.signal, { onMessage }));
    parent.announce({ kind: 'stopping', signal: 'SIGTERM' });
    await replaced.promise;
    parent.begin(key);
    expect(await watching).toEqual({ host: '127.0.0.1', port: 8050 });
  });

  it('announces nothing that comes after its end', async () => {
    await using parent = await startParent();
    parent.begin(key);
    const heard: unknown[] = [];
    const over = new AbortController();
    const linked = Promise.withResolvers<void>();
    const onMessage = (message: unknown) => {
      heard.push(message);
      linked.resolve();
    };
    const watching = watchParent(watchOf(parent.port, over.signal, { onMessage }));
    parent.announce({ kind: 'stopping', signal: 'SIGTERM' });
    await linked.promise;
    over.abort();
    await watching;
    parent.announce({ kind: 'outcome', code: 0, sentence: 'The program has ended with 0' });
    // Fulfilled when the child has closed its link.
    await parent.settled(60_000);
    expect(heard).toHaveLength(1);
  });
});
