import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { writePrivate } from '../../../agent/broker/run-directory/private-file.ts';
import {
  expectedRunDirectory,
  openRunDirectory as openDirectory,
  openObserverDirectory,
  runDirectoryAt,
  type UsualPlaces,
} from '../../../agent/broker/run-directory/run-directory.ts';
import { linkFromOperatorSocket, linkSocket } from '../../../agent/broker/run-directory/socket-links.ts';

const root = mkdtempSync(join(tmpdir(), 'rd-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let made = 0;
const newPath = () => join(root, `${++made}`);
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

/** What an agent would log of places that it does not use. */
const skipped: string[] = [];
const openRunDirectory = (configured: string | undefined, places?: Pick<UsualPlaces, 'shared' | 'private'>) =>
  openDirectory(configured, (sentence) => skipped.push(sentence), places);
beforeEach(() => void skipped.splice(0));

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('SKIPPED: run-time directories of other users. Only root can make them.');

/** Somebody who listens at the socket, as a broker does, until the test ends. */
async function listenAt(socket: string): Promise<void> {
  const server = createServer((connection) => connection.on('error', () => undefined).end());
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  onTestFinished(() => void server.close());
}

describe('openRunDirectory', () => {
  it('makes what it needs, for this user only, whatever the umask', async () => {
    const path = join(newPath(), 'a/b');
    const umask = process.umask(0);
    const directory = await openRunDirectory(path).finally(() => process.umask(umask));
    expect(directory).toEqual({
      path,
      brokerToml: join(path, 'broker.toml'),
      curveCert: join(path, 'curve.cert'),
      batchScript: join(path, 'batch.sh'),
      scheduler: join(path, 'sched-low-ranks.py'),
      agentSocket: join(path, 'agent.sock'),
      runDirectory: join(path, 'broker'),
      mountable: join(path, 'run'),
      socket: join(path, 'run/flux/local'),
    });
    expect([modeOf(path), modeOf(directory.runDirectory)]).toEqual(['700', '700']);
    expect(runDirectoryAt(path)).toEqual(directory);
  });

  it('takes a directory that is there already, such as an emptyDir that all may write', async () => {
    const path = newPath();
    mkdirSync(path);
    chmodSync(path, 0o777);
    writeFileSync(join(path, 'theirs'), 'kept');
    const { runDirectory } = await openRunDirectory(path);
    expect([modeOf(path), modeOf(runDirectory)]).toEqual(['777', '700']);
    expect(readFileSync(join(path, 'theirs'), 'utf8')).toBe('kept');
  });

  it('removes what an earlier broker left, its dead socket included', async () => {
    const { socket, mountable, runDirectory } = runDirectoryAt(newPath());
    mkdirSync(join(runDirectory, 'bin'), { recursive: true, mode: 0o777 });
    mkdirSync(dirname(socket), { recursive: true, mode: 0o777 });
    writeFileSync(join(mountable, 'left'), '');
    const mounted = statSync(mountable).ino;
    writeFileSync(join(runDirectory, 'content.sqlite'), '');
    // A listener removes the one name that it knows when it ends; by the other its socket stays, as after a crash.
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(`${socket}.first`, resolve));
    linkSync(`${socket}.first`, socket);
    await new Promise((resolve) => listener.close(resolve));
    expect(lstatSync(socket).isSocket()).toBe(true);
    await openRunDirectory(join(runDirectory, '..'));
    expect([runDirectory, mountable, dirname(socket)].map((path) => readdirSync(path))).toEqual([
      [],
      ['flux'],
      [],
    ]);
    expect(statSync(mountable).ino, 'another container has mounted it').toBe(mounted);
    expect([modeOf(runDirectory), modeOf(dirname(socket))]).toEqual(['700', '700']);
  });

  it('refuses the directory of a broker that is alive, and leaves it alone', async () => {
    const directory = await openRunDirectory(newPath());
    await listenAt(directory.socket);
    await expect(openRunDirectory(directory.path)).rejects.toMatchObject({
      exitCode: 78,
      message: `Cannot use the run-time directory ${directory.path}: a broker is already running in it`,
    });
    expect(lstatSync(directory.socket).isSocket()).toBe(true);
  });

  it('refuses the directory of an agent that is alive', async () => {
    const directory = await openRunDirectory(newPath());
    await listenAt(directory.agentSocket);
    await expect(openRunDirectory(directory.path)).rejects.toMatchObject({
      exitCode: 78,
      message: `Cannot use the run-time directory ${directory.path}: an agent already serves in it`,
    });
  });

  it('takes one whose agent was attached to a broker elsewhere, and leaves that alone', async () => {
    const [theirs, ours] = [await openRunDirectory(newPath()), await openRunDirectory(newPath())];
    await listenAt(theirs.socket);
    linkSocket(ours, theirs.socket);
    linkSocket(ours, theirs.socket);
    expect(readlinkSync(ours.socket)).toBe(theirs.socket);
    await openRunDirectory(ours.path);
    expect(existsSync(ours.socket)).toBe(false);
    expect(lstatSync(theirs.socket).isSocket()).toBe(true);
  });

  it('is also found at the socket of the Flux Operator, unless a broker of its own is there', async () => {
    const [ours, theirs] = [await openRunDirectory(newPath()), await openRunDirectory(newPath())];
    const at = join(theirs.runDirectory, 'operator');
    const missed: string[] = [];
    const link = (place: string) => linkFromOperatorSocket(ours, (sentence) => missed.push(sentence), place);
    link(at);
    link(at);
    expect(readlinkSync(at)).toBe(ours.socket);
    link(join(newPath(), 'no/such/directory'));
    expect(missed).toEqual([]);
    await listenAt(theirs.socket);
    link(theirs.socket);
    expect(lstatSync(theirs.socket).isSocket()).toBe(true);
    link('/proc/local');
    const leadsTo = `FLUX_URI=local://${ours.socket} leads to it.`;
    expect(missed).toEqual([
      `The broker's socket is not found at ${theirs.socket}: something else is there. ${leadsTo}`,
      expect.stringMatching(/^The broker's socket is not found at \/proc\/local: .*ENOENT/),
    ]);
  });

  it('takes a path as long as its sockets allow, and no longer one', async () => {
    const ofLength = (bytes: number) => join(root, 'é'.padEnd(bytes - Buffer.byteLength(root) - 2, 'x'));
    const longest = ofLength(89);
    expect(Buffer.byteLength(longest)).toBe(89);
    const { socket } = await openRunDirectory(longest);
    await listenAt(socket);
    const tooLong = ofLength(90);
    await expect(openRunDirectory(tooLong)).rejects.toMatchObject({
      exitCode: 78,
      message: `Cannot use the run-time directory ${tooLong}: sockets in it need a path of at most 89 bytes`,
      hint: expect.stringContaining('FLUX_POD_DIR'),
    });
    expect(existsSync(tooLong)).toBe(false);
  });

  it.each([
    ['a file', () => writeTo(newPath()), 'ENOTDIR'],
    ['below a file', () => join(writeTo(newPath()), 'a'), 'ENOTDIR'],
    ['where nothing can be made', () => '/proc/flux-pod', 'ENOENT'],
    ['a link that leads nowhere', () => linkTo('nowhere'), 'EEXIST'],
  ])('refuses %s with the system’s error', async (_, make, code) => {
    const path = make();
    await expect(openRunDirectory(path)).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringMatching(`^Cannot use the run-time directory ${path}: ${code}`),
      hint: expect.stringContaining('FLUX_POD_DIR'),
    });
  });
});

describe('openRunDirectory without FLUX_POD_DIR', () => {
  it('takes the usual place where it can be written, and leaves no trace of having tried', async () => {
    const places = { shared: newPath(), private: newPath() };
    expect((await openRunDirectory(undefined, places)).path).toBe(places.shared);
    expect(readdirSync(places.shared)).toEqual(['broker', 'run']);
    expect(existsSync(places.private)).toBe(false);
  });

  it.each([
    ['cannot be made', () => '/proc/flux-pod'],
    ['is a file', () => writeTo(newPath())],
    ['holds a directory where files go', () => occupied()],
  ])('takes a private directory where the usual place %s, and finds it again', async (_, make) => {
    const places = { shared: make(), private: newPath() };
    expect((await openRunDirectory(undefined, places)).path).toBe(places.private);
    expect(modeOf(places.private)).toBe('700');
    expect((await openRunDirectory(undefined, places)).path).toBe(places.private);
  });

  it('takes the private directory where others can write in the usual place, and names the reason', async () => {
    const places = { shared: withMode(0o777), private: newPath() };
    expect((await openRunDirectory(undefined, places)).path).toBe(places.private);
    expect(skipped).toEqual([
      `${places.shared} is not used: other users can write in it (mode 0777). FLUX_POD_DIR=${places.shared} uses it all the same.`,
    ]);
    expect(readdirSync(places.shared)).toEqual([]);
  });

  it.skipIf(!isRoot)('takes the private directory where the usual place is of another user', async () => {
    const places = { shared: withMode(0o755), private: newPath() };
    chownSync(places.shared, 65_534, 65_534);
    expect((await openRunDirectory(undefined, places)).path).toBe(places.private);
    expect(skipped).toEqual([
      expect.stringContaining(`${places.shared} is not used: it belongs to user 65534, not to user 0.`),
    ]);
    expect(readdirSync(places.shared)).toEqual([]);
  });

  it('takes the private directory where the usual place is a link, even to a private directory', async () => {
    const places = { shared: linkTo(withMode(0o700)), private: newPath() };
    expect((await openRunDirectory(undefined, places)).path).toBe(places.private);
    expect(skipped).toEqual([expect.stringContaining('it is no directory')]);
  });

  it.each([
    ['is open to others', () => withMode(0o711), 'it is not a private directory of this user'],
    [
      'is a link, even to a private directory',
      () => linkTo(withMode(0o700)),
      'it is not a private directory of this user',
    ],
    ['is a file', () => writeTo(newPath(), 0o600), 'it is not a private directory of this user'],
    ['is a link that leads nowhere', () => linkTo('nowhere'), 'EEXIST'],
    ['cannot be made either, as on a read-only root', () => '/proc/flux-pod-0', 'ENOENT'],
  ])('refuses the private directory where it %s', async (_, make, why) => {
    const path = make();
    await expect(
      openRunDirectory(undefined, { shared: '/proc/flux-pod', private: path }),
    ).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringMatching(`^Cannot use ${path}: ${why}`),
      hint: expect.stringContaining('FLUX_POD_DIR'),
    });
  });
});

describe('openObserverDirectory', () => {
  const open = (configured: string | undefined, places: UsualPlaces) =>
    openObserverDirectory(configured, (sentence) => skipped.push(sentence), places);
  const nowhere = '/proc/flux-pod';

  it('takes what any agent would take', async () => {
    const places = { shared: newPath(), private: newPath(), observer: newPath() };
    expect((await open(undefined, places))?.path).toBe(places.shared);
    const configured = newPath();
    expect((await open(configured, places))?.path).toBe(configured);
    expect(skipped).toEqual([]);
  });

  it('takes the place that every container can write in, where it can write in no other, and names the reason', async () => {
    const places = { shared: nowhere, private: nowhere, observer: newPath() };
    expect((await open(undefined, places))?.path).toBe(places.observer);
    expect(modeOf(places.observer)).toBe('700');
    expect(skipped).toEqual([expect.stringMatching(`^Cannot use ${nowhere}: ENOENT`)]);
  });

  it('does without one where there is no place at all', async () => {
    expect(await open(undefined, { shared: nowhere, private: nowhere, observer: nowhere })).toBeUndefined();
    expect(skipped).toHaveLength(2);
  });

  it('does without one where FLUX_POD_DIR cannot be used: verbs look nowhere else', async () => {
    const places = { shared: newPath(), private: newPath(), observer: newPath() };
    expect(await open(nowhere, places)).toBeUndefined();
    expect(skipped).toEqual([expect.stringMatching(`^Cannot use the run-time directory ${nowhere}: ENOENT`)]);
    expect([places.shared, places.private, places.observer].filter((path) => existsSync(path))).toEqual([]);
  });

  it('refuses the directory of an agent that is alive, with a hint how to ask it', async () => {
    const shared = newPath();
    await listenAt((await openRunDirectory(shared)).agentSocket);
    await expect(
      open(shared, { shared: nowhere, private: nowhere, observer: nowhere }),
    ).rejects.toMatchObject({
      exitCode: 78,
      message: `Cannot use the run-time directory ${shared}: an agent already serves in it`,
      hint: expect.stringMatching(/^`flux-pod status` asks it\./),
    });
  });
});

describe('expectedRunDirectory', () => {
  it.each([
    ['nothing', () => newPath(), 'shared'],
    ['a directory of this user', () => withMode(0o755), 'shared'],
    ['a directory in which others can write', () => withMode(0o777), 'private'],
    ['a link', () => linkTo(withMode(0o700)), 'private'],
    ['a file', () => writeTo(newPath()), 'private'],
  ] as const)(
    'is where an agent would make it, where the usual place holds %s',
    async (_, make, expected) => {
      const places = { shared: make(), private: newPath() };
      expect(expectedRunDirectory(undefined, places).path).toBe(places[expected]);
      expect(existsSync(places.private)).toBe(false);
      expect((await openRunDirectory(undefined, places)).path).toBe(places[expected]);
    },
  );

  it('is FLUX_POD_DIR where that is set', () => {
    expect(expectedRunDirectory('/mnt/agent').path).toBe('/mnt/agent');
  });
});

describe('writePrivate', () => {
  it('writes a file that only this user can read, whatever the umask', () => {
    const path = newPath();
    const umask = process.umask(0);
    try {
      writePrivate(path, 'secret');
    } finally {
      process.umask(umask);
    }
    expect(readFileSync(path, 'utf8')).toBe('secret');
    expect(modeOf(path)).toBe('600');
  });

  it('replaces a file that others could read by one that they cannot, without touching the old one', () => {
    const path = newPath();
    writeTo(path, 0o644);
    const before = lstatSync(path).ino;
    const link = `${path}.link`;
    rmSync(link, { force: true });
    symlinkSync(path, link);
    writePrivate(path, 'new');
    expect([readFileSync(link, 'utf8'), modeOf(path)]).toEqual(['new', '600']);
    expect(lstatSync(path).ino).not.toBe(before);
  });

  it('replaces a link, and a half-written file that a crash left, instead of writing through them', () => {
    const [path, theirs] = [newPath(), writeTo(newPath())];
    symlinkSync(theirs, path);
    symlinkSync(theirs, `${path}.new`);
    writePrivate(path, 'new');
    expect(lstatSync(path).isFile()).toBe(true);
    expect([readFileSync(path, 'utf8'), readFileSync(theirs, 'utf8')]).toEqual(['new', 'old']);
    expect(existsSync(`${path}.new`)).toBe(false);
  });
});

function writeTo(path: string, mode = 0o644): string {
  writeFileSync(path, 'old');
  chmodSync(path, mode);
  return path;
}

function linkTo(target: string): string {
  const path = newPath();
  symlinkSync(target, path);
  return path;
}

function withMode(mode: number): string {
  const path = newPath();
  mkdirSync(path);
  chmodSync(path, mode);
  return path;
}

function occupied(): string {
  const path = withMode(0o700);
  mkdirSync(join(path, 'writable/x'), { recursive: true });
  return path;
}
