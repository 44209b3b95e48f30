import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { watch } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, it } from 'vitest';
import packageJson from '../../../package.json' with { type: 'json' };
import { installOnHost } from '../../support/project/flux-pod.ts';

const place = mkdtempSync(join(tmpdir(), 'flux-pod-install-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));
const directory = (name: string): string => {
  const path = join(place, name);
  mkdirSync(path);
  return path;
};

/** Without what other tests have laid out in it. */
const copyDist = (to: string) =>
  cpSync('dist', to, { recursive: true, filter: (from) => !from.startsWith('dist/image') });

/** flux-pod as `npm run build` makes it, with this Node.js on PATH. */
const nodeOnly = directory('node-only');
symlinkSync(process.execPath, join(nodeOnly, 'node'));
const env = { PATH: `${nodeOnly}:/usr/bin:/bin` };
const install = (args: readonly string[], from = 'dist', prefix: readonly string[] = []) => {
  const [file = '', ...rest] = [...prefix, join(from, 'flux-pod'), 'install', ...args];
  return execa(file, rest, { env, extendEnv: false, reject: false });
};
/** What an installed flux-pod says of itself where there is no other Node.js. */
const versionOf = (installed: string) =>
  execa(join(installed, 'flux-pod'), ['version'], {
    env: { PATH: '/nowhere' },
    extendEnv: false,
    reject: false,
  });

describe('flux-pod install', () => {
  it('copies a flux-pod that runs without any other Node.js, with its licences', async () => {
    const target = directory('first');
    const { stdout, stderr } = await install([target]);
    expect({ stdout, stderr }).toEqual({
      stdout: `flux-pod ${packageJson.version} is in ${target}`,
      stderr: '',
    });
    expect(await versionOf(target)).toMatchObject({ stdout: packageJson.version, exitCode: 0 });
    expect(readdirSync(join(target, 'licenses')).sort()).toEqual(['LICENSE', 'THIRD-PARTY-NOTICES']);
    expect(readFileSync(join(target, 'licenses/THIRD-PARTY-NOTICES'), 'utf8')).toContain('zod 4');
    expect(readdirSync(target).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('passes on nothing of the demo and of the stand-in for Flux, and says so', async () => {
    const target = directory('without-demo');
    await install([target]);
    expect(readdirSync('dist')).toContain('demo.cjs');
    expect(readFileSync('dist/demo.cjs', 'latin1')).toContain('stand-in');
    expect(readdirSync(target).sort()).toEqual([
      ...[
        'cached.cjs',
        'chunks',
        'flux-pod',
        'flux-pod.cache',
        'flux-pod.cjs',
        'licenses',
        'make-cache.sh',
        'node',
      ],
    ]);
    const chunks = readdirSync(join(target, 'chunks')).map((chunk) => `chunks/${chunk}`);
    expect(chunks.length).toBeGreaterThan(10);
    for (const file of ['flux-pod.cjs', ...chunks])
      expect(readFileSync(join(target, file), 'latin1'), file).not.toContain('stand-in');
    const demo = await execa(join(target, 'flux-pod'), ['demo'], { reject: false });
    expect(demo).toMatchObject({ exitCode: 78, stdout: '' });
    expect(demo.stderr.split('\n')).toEqual([
      `flux-pod: Cannot run the demo: it is not part of this installation, ${target} has no demo.cjs`,
      'Images and `flux-pod install` leave it out. In a checkout of flux-pod: `npm ci && npm run demo`.',
    ]);
    const standIn = await execa(join(target, 'flux-pod'), ['stand-in-flux', 'version'], { reject: false });
    expect(standIn.exitCode).toBe(64);
  });

  it('lets every user run it, whatever the umask was', async () => {
    const target = directory('umask');
    await execa('sh', ['-c', `umask 077; exec dist/flux-pod install ${target}`], { env, extendEnv: false });
    const mode = (name: string) => (statSync(join(target, name)).mode & 0o777).toString(8);
    expect(['node', 'flux-pod', 'licenses'].map(mode)).toEqual(['755', '755', '755']);
    expect(['flux-pod.cjs', 'cached.cjs', 'licenses/LICENSE'].map(mode)).toEqual(['644', '644', '644']);
  });

  it('can be done again and in the place of one that runs: what is called meanwhile is whole', async () => {
    const target = directory('again');
    await install([target]);
    let installing = true;
    const answers: string[] = [];
    const callers = Array.from({ length: 2 }, async () => {
      while (installing) {
        const { stdout, stderr, exitCode } = await versionOf(target);
        answers.push(`${exitCode} ${stdout}${stderr}`);
      }
    });
    for (let time = 0; time < 3 || answers.length < 6; time++)
      expect(await install([target])).toMatchObject({ exitCode: 0 });
    installing = false;
    await Promise.all(callers);
    expect(new Set(answers)).toEqual(new Set([`0 ${packageJson.version}`]));
  });

  it('leaves the old one whole when it is killed, and clears away later what that left', async () => {
    const target = directory('killed');
    await install([target]);
    const changes = watch(target)[Symbol.asyncIterator]();
    const first = changes.next();
    const killed = execa('dist/flux-pod', ['install', target], { env, extendEnv: false, reject: false });
    expect((await first).value?.filename).toMatch(/^\.flux-pod-/);
    await changes.return?.();
    killed.kill('SIGKILL');
    await killed;
    expect(await versionOf(target)).toMatchObject({ stdout: packageJson.version });
    for (const name of readdirSync(target)) utimesSync(join(target, name), 1, 1);
    await install([target]);
    expect(readdirSync(target).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('makes the code cache anew where its Node.js does not take the one there is', async () => {
    const damaged = directory('damaged');
    copyDist(damaged);
    const cache = readFileSync('dist/flux-pod.cache');
    writeFileSync(join(damaged, 'flux-pod.cache'), Buffer.concat([Buffer.alloc(64), cache.subarray(64)]));
    const target = directory('mended');
    await install([target], damaged);
    expect(takesCache(target)).toBe(true);
    expect(takesCache(damaged)).toBe(false);
  });

  it('installs from an installation', async () => {
    const second = directory('second');
    expect(await install([second], installOnHost())).toMatchObject({ exitCode: 0 });
    expect(await versionOf(second)).toMatchObject({ stdout: packageJson.version });
  });
});

/** What cached.cjs learns from V8. */
const takesCache = (installed: string): boolean =>
  execFileSync(join(installed, existsSync(join(installed, 'node')) ? 'node' : '../node-only/node'), [
    '-p',
    `process.argv[1] = '${installed}/cached.cjs'; process.argv[2] = 'version'; require(process.argv[1]).cacheAccepted`,
  ])
    .toString()
    .includes('true');

describe('flux-pod install refuses', () => {
  const file = join(place, 'file');
  writeFileSync(file, '');
  const closed = directory('closed');
  chmodSync(closed, 0o755);
  const root = process.getuid?.() === 0;
  const asNobody = root ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];

  it.each([
    ['no directory', [], 64, 'Cannot install flux-pod: give the directory to install it into'],
    ['two directories', [place, place], 64, `"${place}" is a word too many`],
    ['a directory that is not there', ['/nowhere'], 78, 'into /nowhere: there is no such directory'],
    ['a file', [file], 78, `into ${file}: it is no directory`],
  ])('%s', async (_, args, code, sentence) => {
    const { exitCode, stderr } = await install(args);
    expect(stderr.split('\n')[0]).toContain(sentence);
    expect(exitCode).toBe(code);
  });

  it('a directory of another user', async () => {
    chmodSync(place, 0o755);
    const { exitCode, stderr } = await install([root ? closed : '/'], 'dist', asNobody);
    expect(stderr.split('\n')[0]).toMatch(/: user \d+ cannot write there$/);
    expect(exitCode).toBe(78);
  });

  it.runIf(root).each([
    ['a disk too small', 'size=10m', /: the disk is full, and flux-pod needs \d+ MiB there$/],
    ['a read-only file system', 'ro', /: it is read-only$/],
    ['one where nothing can be executed', 'noexec', /: it is mounted with noexec: nothing in it can be exec/],
  ])('%s, and leaves nothing there', async (name, options, sentence) => {
    const target = directory(name);
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', target]);
    try {
      const { exitCode, stderr } = await install([target]);
      expect(stderr.split('\n')[0]).toMatch(sentence);
      expect(exitCode).toBe(78);
      expect(readdirSync(target)).toEqual([]);
    } finally {
      execFileSync('umount', [target]);
    }
  });

  it('to pass on a Node.js that cannot run a pod', async () => {
    const old = directory('old');
    writeFileSync(
      join(old, 'node'),
      `#!/bin/sh\nexec ${process.execPath} -r ${join(old, 'old.cjs')} "$@"\n`,
      {
        mode: 0o755,
      },
    );
    writeFileSync(
      join(old, 'old.cjs'),
      "Object.defineProperty(process, 'versions', { value: { node: '20.1.0' } })",
    );
    // In a checkout's dist/ the launcher finds the Node.js of the checkout.
    const copy = join(old, 'copy');
    copyDist(copy);
    const { exitCode, stderr } = await execa(join(copy, 'flux-pod'), ['install', place], {
      env: { PATH: `${old}:${env.PATH}` },
      extendEnv: false,
      reject: false,
    });
    expect(stderr.split('\n')[0]).toMatch(/this Node\.js is 20\.1\.0, and flux-pod needs 24$/);
    expect(exitCode).toBe(72);
  });
});
