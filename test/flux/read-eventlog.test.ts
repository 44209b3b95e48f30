import { describe, expect, it } from 'vitest';
import { Errno, FluxError } from '../../agent/flux/errors.ts';
import { createBlobCache } from '../../agent/flux/services/eventlog/blob-cache.ts';
import { type EventlogOptions, readEventlog } from '../../agent/flux/services/eventlog/read-eventlog.ts';
import { fakeBroker } from '../support/agent/fake-api.ts';
import { entryLine, type FakeKvs, fakeKvs, logKey } from '../support/flux/fake-kvs.ts';

const output = logKey(0x2a, 'guest.output');
const namespace = 'job-42';

const read = async (kvs: FakeKvs, options: EventlogOptions = {}, cache = createBlobCache()) =>
  readEventlog(await fakeBroker(kvs).client(), cache, 42n, 'guest.output', options);

async function numbersAndNames(
  slices: AsyncIterable<{ first: number; entries: readonly { name: string }[] }>,
) {
  const all: [number, string][] = [];
  for await (const { first, entries } of slices)
    all.push(...entries.map(({ name }, at): [number, string] => [first + at, name]));
  return all;
}

describe('an event log', () => {
  const lines = ['a', 'b', 'c', 'd', 'e'].map((name) => entryLine(name));
  const whole = lines.join('');
  const expected = ['a', 'b', 'c', 'd', 'e'].map((name, number) => [number, name]);

  it('is the same in whichever parts it is stored, also where a line is cut', async () => {
    for (let first = 0; first < whole.length; first += 3) {
      const kvs = fakeKvs();
      for (const part of [whole.slice(0, first), whole.slice(first, first + 30), whole.slice(first + 30)])
        kvs.append(output, part);
      expect(await numbersAndNames(await read(kvs))).toEqual(expected);
    }
  });

  it('goes on after an entry, with the numbers it had', async () => {
    const kvs = fakeKvs();
    for (const line of lines) kvs.append(output, line);
    expect(await numbersAndNames(await read(kvs, { after: 2 }))).toEqual(expected.slice(3));
    expect(await numbersAndNames(await read(kvs, { after: 9 }))).toEqual([]);
  });

  it('comes in slices, and no blob is asked for before the slices before it were taken', async () => {
    const kvs = fakeKvs();
    const line = entryLine('x'.repeat(1000));
    for (let part = 0; part < 5; part++) kvs.append(output, `${line.repeat(50)}${entryLine(`end ${part}`)}`);
    const slices = await read(kvs);
    expect(kvs.loaded).toHaveLength(0);
    for (let taken = 1; taken <= 4; taken++) {
      await slices.next();
      expect(kvs.loaded).toHaveLength(1);
    }
    await slices.next();
    expect(kvs.loaded).toHaveLength(2);
    await slices.return();
    expect(kvs.loaded).toHaveLength(2);
  });

  it('leaves all else its turn after each slice, though its blob is there', async () => {
    const kvs = fakeKvs();
    kvs.append(output, entryLine('x'.repeat(1000)).repeat(1000));
    let turns = 0;
    const count = (): NodeJS.Immediate =>
      setImmediate(() => {
        turns++;
        counting = count();
      });
    let counting = count();
    let slices = 0;
    for await (const _ of await read(kvs)) slices++;
    clearImmediate(counting);
    expect(slices).toBeGreaterThan(50);
    expect(turns).toBeGreaterThanOrEqual(slices);
  });

  it('of more parts than are held at once is read whole', async () => {
    const kvs = fakeKvs();
    for (let part = 0; part < 2500; part++) kvs.append(output, entryLine(`n${part}`));
    const names = await numbersAndNames(await read(kvs));
    expect(names.map(([, name]) => name)).toEqual(Array.from({ length: 2500 }, (_, n) => `n${n}`));
  });

  it('is followed while its namespace exists, and read to its end when that is removed', async () => {
    const kvs = fakeKvs();
    kvs.createNamespace(namespace);
    const slices = await read(kvs, { follow: true });
    const first = slices.next();
    kvs.append(output, lines[0] as string, namespace);
    expect((await first).value).toMatchObject({ first: 0, entries: [{ name: 'a' }] });
    kvs.append(output, lines[1] as string, namespace);
    kvs.append(output, lines[2] as string, namespace);
    expect((await slices.next()).value).toMatchObject({ first: 1, entries: [{ name: 'b' }] });
    expect((await slices.next()).value).toMatchObject({ first: 2, entries: [{ name: 'c' }] });
    const last = slices.next();
    kvs.append(output, lines[3] as string);
    kvs.removeNamespace(namespace);
    expect((await last).value).toMatchObject({ first: 3, entries: [{ name: 'd' }] });
    expect((await slices.next()).done).toBe(true);
  });

  it('that there is not is ENOENT; one that is no log is EPROTO', async () => {
    await expect((await read(fakeKvs())).next()).rejects.toMatchObject({ errno: 'ENOENT' });
    const kvs = fakeKvs();
    kvs.append(output, 'no JSON\n');
    await expect((await read(kvs)).next()).rejects.toMatchObject({ errno: 'EPROTO' });
  });

  it('is not read further after its reader has left', async () => {
    const kvs = fakeKvs();
    kvs.createNamespace(namespace);
    const gone = new AbortController();
    const slices = await read(kvs, { follow: true, signal: gone.signal });
    const next = slices.next();
    gone.abort();
    kvs.append(output, lines[0] as string, namespace);
    await expect(next).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('blobs of many readers', () => {
  const blob = (n: number) => Buffer.alloc(1000, String(n));
  const setUp = async (bytes: number, idleMs = 1000) => {
    const kvs = fakeKvs();
    for (let n = 0; n < 10; n++) kvs.append('x', blob(n));
    const client = await fakeBroker(kvs).client();
    const cache = createBlobCache({ bytes, idleMs, timeoutMs: 1000 });
    return { kvs, client, refs: kvs.refs('x'), cache };
  };
  const loadedOf = ({ loaded }: FakeKvs, refs: readonly string[]) =>
    loaded.map((hash) => refs.indexOf(`sha1-${hash}`));

  it('are loaded once for all readers of the same log', async () => {
    const { kvs, client, refs, cache } = await setUp(2000);
    const loads = Array.from({ length: 50 }, () => cache.read(client, refs[0] as string, String));
    expect(new Set((await Promise.all(loads)).map(String))).toEqual(new Set([String(blob(0))]));
    expect(kvs.loaded).toHaveLength(1);
  });

  it('make room for others when their readers are done with them, and not before', async () => {
    const { kvs, client, refs, cache } = await setUp(1500, 60_000);
    for (const at of [0, 1]) await cache.read(client, refs[at] as string, String);
    const third = cache.read(client, refs[2] as string, String);
    for (let turns = 0; turns < 10; turns++) {
      await cache.read(client, refs[0] as string, String);
      await cache.read(client, refs[1] as string, String);
    }
    expect(loadedOf(kvs, refs)).toEqual([0, 1]);
    cache.done(refs[0] as string);
    await third;
    await cache.read(client, refs[1] as string, String);
    expect(loadedOf(kvs, refs)).toEqual([0, 1, 2]);
  });

  it('make room also when their readers have been slow', async () => {
    const { kvs, client, refs, cache } = await setUp(1500, 0);
    for (const at of [0, 1, 2, 0]) await cache.read(client, refs[at] as string, String);
    expect(loadedOf(kvs, refs)).toEqual([0, 1, 2, 0]);
  });

  it('that ten readers take in step are not loaded by each of them', async () => {
    const kvs = fakeKvs();
    for (let part = 0; part < 10; part++) kvs.append(output, entryLine(`${part}`.repeat(1000)).repeat(500));
    const cache = createBlobCache({ bytes: 600_000, idleMs: 10_000, timeoutMs: 1000 });
    const client = await fakeBroker(kvs).client();
    const readers = Array.from({ length: 10 }, async (_, after) => {
      for await (const _slice of readEventlog(client, cache, 42n, 'guest.output', {
        after: after * 500 - 1,
      }));
    });
    await Promise.all(readers);
    // Each passes over what is before its place.
    expect(kvs.loaded.length).toBeLessThan(30);
  });

  it('are loaded one at a time, and one that fails delays no reader', async () => {
    const { client, refs, cache } = await setUp(1);
    let underWay = 0;
    let most = 0;
    const slow = {
      ...client,
      rpcRaw: async () => {
        most = Math.max(most, ++underWay);
        await new Promise((resolve) => setImmediate(resolve));
        underWay--;
        throw new FluxError(Errno.connectionReset);
      },
    };
    const failed = await Promise.allSettled(refs.map((reference) => cache.read(slow, reference, String)));
    expect(failed.map(({ status }) => status)).toEqual(refs.map(() => 'rejected'));
    expect(most).toBe(1);
    expect(await cache.read(client, refs[3] as string, String)).toBe(String(blob(3)));
  });

  it('that are not in the backing store yet come from the cache of Flux', async () => {
    const { kvs, refs, cache } = await setUp(2000);
    for (const error of [Errno.noEntry, Errno.noService]) {
      const raw = {
        'content-backing.load': () => {
          throw new FluxError(error);
        },
        'content.load': kvs.raw['content-backing.load'] as never,
      };
      const client = await fakeBroker({ raw }).client();
      expect(await cache.read(client, refs[error % 10] as string, String)).toBe(String(blob(error % 10)));
    }
  });
});
