import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type WatchHandlers, watchMounted } from '../agent/watch-mounted.ts';
import { mountSecret } from './support/agent/mounted-secret.ts';

/** For what inotify, or a poll, has to notice first. */
const soon = { timeout: 10_000, interval: 20 };

let top: string;
let mount: string;
let changes = 0;
const ends: (() => Promise<void>)[] = [];
const unexpected = (why: unknown) => {
  throw why;
};
const begin = (paths: readonly string[] = [mount]) => {
  ends.push(watchMounted(paths, { onChange: () => changes++, onBlind: unexpected }));
};

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'flux-pod-mounted-'));
  mount = join(top, 'secret');
  mkdirSync(mount);
  changes = 0;
});
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
  rmSync(top, { recursive: true, force: true });
});

describe('a mount that is watched', () => {
  it('is read once at the start, and once for each swap of the kubelet', async () => {
    mountSecret(mount, { key: 'first' });
    begin();
    expect(changes).toBe(1);
    for (const [count, key] of [
      [2, 'second'],
      [3, 'third'],
    ] as const) {
      mountSecret(mount, { key });
      await expect.poll(() => changes, soon).toBe(count);
    }
  });

  it('is a single file as well', async () => {
    mountSecret(mount, { key: 'first' });
    begin([join(mount, 'key')]);
    for (const [count, key] of [
      [2, 'second'],
      [3, 'third'],
    ] as const) {
      mountSecret(mount, { key });
      await expect.poll(() => changes, soon).toBe(count);
    }
  });

  it('has not changed when it is swapped for the same content', async () => {
    mountSecret(mount, { key: 'same' });
    begin();
    mountSecret(mount, { key: 'same' });
    mountSecret(mount, { key: 'other' });
    await expect.poll(() => changes, soon).toBe(2);
  });

  it('is watched on when another directory takes its place', async () => {
    mountSecret(mount, { key: 'first' });
    begin();
    renameSync(mount, join(top, 'old'));
    await expect.poll(() => changes, soon).toBe(2);
    mkdirSync(mount);
    mountSecret(mount, { key: 'second' });
    await expect.poll(() => changes, soon).toBe(3);
    mountSecret(mount, { key: 'third' });
    await expect.poll(() => changes, soon).toBe(4);
  });
});

describe('a mount that cannot be watched', () => {
  it('is polled, and that is said once', async () => {
    writeFileSync(join(mount, 'key'), 'first');
    let handlers: WatchHandlers | undefined;
    const blind: unknown[] = [];
    const end = watchMounted(
      [mount],
      { onChange: () => changes++, onBlind: (why) => blind.push(why) },
      (_, given) => {
        handlers = given;
        return async () => undefined;
      },
    );
    ends.push(end);
    const why = new Error('ENOSPC: System limit for number of file watchers reached');
    handlers?.onError(why);
    handlers?.onError(why);
    expect(blind).toEqual([why]);
    writeFileSync(join(mount, 'key'), 'second');
    await expect.poll(() => changes, soon).toBe(2);
  });
});
