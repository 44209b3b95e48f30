import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { connectBroker } from '../../entrypoint/running-pod/connect-broker.ts';
import { type FoundDirectory, locateRunDirectory } from '../../entrypoint/running-pod/find-run-directory.ts';

const root = mkdtempSync(join(tmpdir(), 'find-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const me = process.getuid?.() ?? 0;
const stranger = 65_534;
if (me !== 0) console.warn('SKIPPED: agents of other users. Only root can make their directories.');

let made = 0;
const newPath = () => join(root, `${++made}`);

interface Agent {
  readonly user?: number;
  readonly mode?: number;
  readonly socketUser?: number;
  readonly socketMode?: number;
  /** Of the directory that may be a mount, and of what is in it. */
  readonly mountUser?: number;
  readonly socketsUser?: number;
  readonly brokerUser?: number;
}

/** A run-time directory with the socket of an agent, until the test ends. */
async function agentDirectory({ user = me, mode = 0o700, ...more }: Agent = {}): Promise<string> {
  const path = newPath();
  for (const name of ['broker', 'run/flux']) mkdirSync(join(path, name), { recursive: true, mode: 0o700 });
  const socket = join(path, 'agent.sock');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  onTestFinished(() => void server.close());
  chmodSync(socket, more.socketMode ?? 0o700);
  if (me === 0) {
    chownSync(socket, more.socketUser ?? user, more.socketUser ?? user);
    chownSync(join(path, 'run'), more.mountUser ?? user, more.mountUser ?? user);
    chownSync(join(path, 'run/flux'), more.socketsUser ?? user, more.socketsUser ?? user);
    chownSync(join(path, 'broker'), more.brokerUser ?? user, more.brokerUser ?? user);
    chownSync(path, user, user);
  }
  chmodSync(path, mode);
  return path;
}

function locate(where: {
  configured?: string;
  shared?: string;
  private?: string;
  observer?: string;
  observers?: boolean;
}): {
  found: FoundDirectory;
  skipped: string[];
} {
  const skipped: string[] = [];
  const { shared = newPath(), observer = newPath() } = where;
  const places = { shared, private: where.private ?? newPath(), observer };
  const found = locateRunDirectory(where.configured, (sentence) => skipped.push(sentence), {
    places,
    observers: where.observers ?? true,
  });
  return { found, skipped };
}

describe('the agent of this user', () => {
  it('is found in either of the usual places, and at FLUX_POD_DIR', async () => {
    const path = await agentDirectory();
    for (const place of ['shared', 'private', 'observer', 'configured']) {
      const { found, skipped } = locate({ [place]: path });
      expect(found).toMatchObject({ path, owner: { uid: me }, brokerSocket: join(path, 'run/flux/local') });
      expect(found.agentSocket).toMatch(/^\/proc\/self\/fd\/\d+\/agent\.sock$/);
      expect(skipped).toEqual([]);
    }
  });

  it('is found in an emptyDir that all may write, and behind a link, where FLUX_POD_DIR names it', async () => {
    const path = await agentDirectory({ mode: 0o777 });
    const link = newPath();
    symlinkSync(path, link);
    expect(locate({ configured: path }).found.path).toBe(path);
    expect(locate({ configured: link }).found.path).toBe(link);
  });

  it('is looked for where it would be, where there is none', () => {
    const shared = newPath();
    expect(locate({ shared }).found).toMatchObject({ path: shared, agentSocket: join(shared, 'agent.sock') });
  });

  it('is not looked for where all containers of a pod can write, unless only its answers are shown', async () => {
    const observer = await agentDirectory();
    expect(locate({ observer }).found.path).toBe(observer);
    expect(locate({ observer, observers: false }).found.path).not.toBe(observer);
  });

  it('would be in the private directory, where the usual place is not this user’s alone', () => {
    const [shared, own] = [newPath(), newPath()];
    mkdirSync(shared);
    chmodSync(shared, 0o777);
    expect(locate({ shared, private: own }).found.path).toBe(own);
  });

  it('is named as people know it where its broker does not answer', async () => {
    const path = await agentDirectory();
    const { found } = locate({ configured: path });
    await expect(connectBroker(found)).rejects.toThrow(`${path}/run/flux/local`);
  });

  it('stays the one that was checked, also where another directory takes the name', async () => {
    const path = await agentDirectory();
    const { found } = locate({ configured: path });
    rmSync(path, { recursive: true });
    mkdirSync(path);
    writeFileSync(join(path, 'broker.toml'), 'planted');
    expect(existsSync(join(path, 'broker.toml'))).toBe(true);
    expect(existsSync(found.brokerToml)).toBe(false);
  });
});

describe('a usual place is skipped, and named with the reason,', () => {
  it.each<[string, Agent, string]>([
    ['where all may write in it', { mode: 0o777 }, 'other users can write in it (mode 0777)'],
    ['where its group may', { mode: 0o770 }, 'other users can write in it (mode 0770)'],
    ['where others may connect to the agent', { socketMode: 0o777 }, 'other users can connect to it'],
  ])('%s', async (_, agent, why) => {
    const path = await agentDirectory(agent);
    for (const place of ['shared', 'private']) {
      const { found, skipped } = locate({ [place]: path });
      expect(found.agentSocket).not.toContain('/proc/');
      expect(skipped).toEqual([expect.stringContaining(`Cannot use the run-time directory ${path}: `)]);
      expect(skipped[0]).toContain(why);
    }
  });

  it('where it is a link', async () => {
    const link = newPath();
    symlinkSync(await agentDirectory(), link);
    expect(locate({ private: link }).skipped).toEqual([expect.stringContaining('it is no directory')]);
  });

  it.skipIf(me !== 0)('where another user has made root’s private directory', async () => {
    const path = await agentDirectory({ user: stranger });
    const { found, skipped } = locate({ private: path });
    expect(found.agentSocket).not.toContain('/proc/');
    expect(skipped).toEqual([
      `Cannot use the run-time directory ${path}: it belongs to user 65534, not to user 0. It is skipped.`,
    ]);
  });

  it.skipIf(me !== 0)('where another user’s socket or broker is in it', async () => {
    for (const agent of [
      { socketUser: stranger },
      { mountUser: stranger },
      { socketsUser: stranger },
      { brokerUser: stranger },
    ]) {
      const { skipped } = locate({ private: await agentDirectory(agent) });
      expect(skipped).toEqual([expect.stringContaining('it belongs to user 65534, not to user 0')]);
    }
  });
});

describe.skipIf(me !== 0)('root looks into the pod of another user', () => {
  it('at FLUX_POD_DIR, and learns whom to become', async () => {
    const path = await agentDirectory({ user: 1000 });
    expect(locate({ configured: path }).found.owner).toEqual({ uid: 1000, gid: 1000 });
  });

  it('at /run/flux-pod, where only root can have let that user in', async () => {
    const inside = await agentDirectory({ user: 1000 });
    expect(locate({ shared: inside }).found.owner).toEqual({ uid: 1000, gid: 1000 });
    chmodSync(root, 0o777);
    const { skipped } = locate({ shared: inside });
    chmodSync(root, 0o700);
    expect(skipped).toEqual([expect.stringContaining(`not only root can write in ${root}`)]);
  });

  it('unless its broker’s directory is a third user’s', async () => {
    const path = await agentDirectory({ user: 1000, mode: 0o777, brokerUser: stranger });
    expect(() => locate({ configured: path })).toThrow(
      `Cannot use the run-time directory ${path}: ${path}/broker: it belongs to user 65534, not to user 1000`,
    );
  });

  it('also where its broker’s socket is in a mount that other containers see', async () => {
    const path = await agentDirectory({ user: 1000, mode: 0o777, mountUser: 0 });
    expect(locate({ configured: path }).found.owner).toEqual({ uid: 1000, gid: 1000 });
  });

  it('unless the directory of its broker’s socket is a third user’s', async () => {
    const path = await agentDirectory({ user: 1000, mode: 0o777, mountUser: 0, socketsUser: stranger });
    expect(() => locate({ configured: path })).toThrow(
      `${path}/run/flux: it belongs to user 65534, not to user 1000`,
    );
  });

  it('unless a third user has put a socket in the place of the broker’s', async () => {
    const path = await agentDirectory({ user: 1000, mode: 0o777, mountUser: 0 });
    writeFileSync(join(path, 'run/flux/local'), '');
    chownSync(join(path, 'run/flux/local'), stranger, stranger);
    expect(() => locate({ configured: path })).toThrow(
      `${path}/run/flux/local: it belongs to user 65534, not to user 1000`,
    );
  });
});
