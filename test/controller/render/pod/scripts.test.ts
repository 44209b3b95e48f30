import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type GivenSpec, manifest, render } from '../../../support/manifests/miniclusters.ts';

// Node's pipes are sockets, and with a socket for its stdin bash takes itself for a remote shell and reads .bashrc: none here.

const directory = mkdtempSync(join(tmpdir(), 'flux-pod-scripts-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Writes the scripts of a MiniCluster with these places moved into a directory of their own, which is returned. */
function place(
  spec: GivenSpec,
  container: GivenSpec,
  moved: readonly string[] = [],
  options: Parameters<typeof render>[2] = {},
): string {
  const here = mkdtempSync(join(directory, 'pod-'));
  const rendering = render(spec, container, options);
  for (const [name, text] of Object.entries(manifest(rendering, 'ConfigMap').data ?? {})) {
    const rewritten = ['/etc/flux-pod/scripts', ...moved].reduce(
      (script, path) => script.replaceAll(path, path === '/etc/flux-pod/scripts' ? here : `${here}${path}`),
      text,
    );
    writeFileSync(join(here, name), rewritten);
  }
  return here;
}

function start(here: string, index: string, ...command: string[]) {
  const { status, stdout, stderr } = spawnSync('/bin/bash', [join(here, 'start.sh'), ...command], {
    env: { PATH: process.env.PATH, JOB_COMPLETION_INDEX: index },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { status, stdout: stdout.trim(), stderr: stderr.trim() };
}

describe('start.sh', () => {
  it('hands on what the commands export and where they change to, and keeps their output off stdout', () => {
    const here = place(
      {},
      { commands: { init: 'echo init', pre: 'export GREETING=hello\ncd /tmp\necho pre' } },
    );
    expect(start(here, '0', 'sh', '-c', 'echo $GREETING from $PWD')).toEqual({
      status: 0,
      stdout: 'hello from /tmp',
      stderr: 'init\npre',
    });
  });

  it('runs some commands on the leader only, and others on the followers', () => {
    const here = place({}, { commands: { brokerPre: 'echo leader', workerPre: 'echo follower' } });
    expect(start(here, '0', 'true').stderr).toBe('leader');
    expect(start(here, '3', 'true').stderr).toBe('follower');
  });

  it('goes on after a command that fails, unless strict', () => {
    const commands = { pre: 'false\necho went on' };
    expect(start(place({}, { commands }), '0', 'echo', 'ran')).toMatchObject({ status: 0, stdout: 'ran' });
    const strict = place({ logging: { strict: true } }, { commands });
    expect(start(strict, '0', 'echo', 'ran')).toEqual({ status: 1, stdout: '', stderr: '' });
  });

  it('is quiet where that is asked for', () => {
    const here = place({ logging: { quiet: true } }, { commands: { pre: 'echo loud; echo trouble >&2' } });
    expect(start(here, '0', 'true').stderr).toBe('trouble');
  });

  it('makes the directory for the output of a batch', () => {
    const logs = join(directory, "it's a/log");
    start(place({}, { batch: true, logs }), '0', 'true');
    expect(existsSync(logs)).toBe(true);
  });

  it('restores an archive that is there, on the leader', () => {
    const path = join(directory, 'archive.tar');
    const here = place({ archive: { path } }, {});
    const options = (index: string) => start(here, index, 'sh', '-c', 'echo $FLUX_POD_BROKER_OPTIONS').stdout;
    expect(options('0')).toBe('');
    writeFileSync(path, '');
    expect(options('0')).toBe(`-Scontent.restore=${path}`);
    expect(options('1')).toBe('');
  });

  it('is not there where there is nothing to run before', () => {
    expect(manifest(render({ logging: { strict: true } }), 'ConfigMap').data).not.toHaveProperty([
      'start.sh',
    ]);
  });
});

describe('the script of a container beside Flux', () => {
  const spec = (container: GivenSpec, more: GivenSpec = {}) => ({
    containers: [
      { image: 'a', command: 'x', runFlux: true },
      { image: 'b', name: 'b', ...container },
    ],
    ...more,
  });

  /** In a process group of its own, which ends as the container's processes do when their PID 1 has ended. */
  function startSidecar(here: string) {
    const child = spawn('/bin/bash', [join(here, 'sidecar-b.sh')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    child.on('exit', () => {
      try {
        process.kill(-(child.pid ?? 0), 'SIGKILL');
      } catch {
        // nothing was left
      }
    });
    return child;
  }

  it('runs the command once, then waits for SIGTERM', async () => {
    const here = place(
      spec(
        { command: 'echo ran $fluxsocket', commands: { post: 'echo after' } },
        { flux: { noWaitSocket: true } },
      ),
      {},
    );
    const child = startSidecar(here);
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    await expect.poll(() => output).toContain('after');
    expect(output).toBe('ran local:///run/flux-pod/run/flux/local\nafter\n');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([143, null]);
  });

  it.each([
    ['strict, with a servicePre that fails', { strict: true }, { commands: { servicePre: 'false' } }],
    ['with a command that exits', {}, { command: 'exit 3' }],
  ])('stays up and says so when its commands fail: %s', async (_, logging, container) => {
    const child = startSidecar(place(spec(container, { logging, flux: { noWaitSocket: true } }), {}));
    const [said] = await once(child.stderr, 'data');
    expect(`${said}`).toMatch(
      /the commands of this container failed with exit code [13], and are not run again/,
    );
    child.kill('SIGTERM');
    // Had it exited by itself, the kubelet would start it again and again, and Flux never.
    expect(await once(child, 'exit')).toEqual([143, null]);
  });

  it('hears SIGTERM while the command runs', async () => {
    const here = place(spec({ command: 'echo here; sleep 30' }, { flux: { noWaitSocket: true } }), {});
    const child = startSidecar(here);
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([143, null]);
  });
});

describe('view.sh', () => {
  const old = new Date('2020-01-02T03:04:05Z');
  /** Copies a view of one compiled module, as this user; returns where the view went. */
  function copy(prepare: (here: string) => void, user: { uid?: number; gid?: number }): string {
    const here = place({}, {}, ['/opt/view', '/opt/software', '/mnt/flux']);
    for (const at of [join(here, 'opt/views/._view/abc'), join(here, 'opt/software')]) {
      mkdirSync(join(at, 'lib'), { recursive: true });
      for (const file of ['.spack', 'lib/flux.py', 'lib/flux.pyc']) writeFileSync(join(at, file), '');
      for (const path of ['.spack', 'lib/flux.py', 'lib/flux.pyc', 'lib'])
        utimesSync(join(at, path), old, old);
    }
    mkdirSync(join(here, 'mnt/flux/software'), { recursive: true });
    prepare(here);
    execFileSync('/bin/bash', [join(here, 'view.sh')], { stdio: ['ignore', 'pipe', 'inherit'], ...user });
    return join(here, 'mnt/flux');
  }
  const copied = ['view', 'software'].flatMap((at) =>
    ['.spack', 'lib', 'lib/flux.py', 'lib/flux.pyc'].map((path) => join(at, path)),
  );
  const timesIn = (place: string) => copied.map((path) => [path, statSync(join(place, path)).mtime]);

  it('keeps times: what Python has compiled stays valid', () => {
    expect(timesIn(copy(() => undefined, {}))).toEqual(copied.map((path) => [path, old]));
  });

  it.each([
    ['installs flux-pod beside the view, from an image that has both', 0],
    ['fails where that cannot be installed', 78],
  ])('%s', (_, code) => {
    const moved = ['/opt/view', '/opt/software', '/opt/flux-pod', '/mnt/flux-pod', '/mnt/flux/'];
    const here = place({}, {}, moved, { viewImage: 'flux-pod-view:1' });
    for (const path of ['opt/view/bin', 'opt/flux-pod', 'mnt/flux/software'])
      mkdirSync(join(here, path), { recursive: true });
    const script = `#!/bin/sh\nsleep 0.2\necho "$*" >"$2"\nexit ${code}\n`;
    writeFileSync(join(here, 'opt/flux-pod/flux-pod'), script, { mode: 0o755 });
    const { status } = spawnSync('/bin/bash', [join(here, 'view.sh')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    expect(status).toBe(code);
    const target = join(here, 'mnt/flux-pod');
    expect(readFileSync(target, 'utf8')).toBe(`install ${target}\n`);
    expect(existsSync(join(here, 'mnt/flux/view/bin'))).toBe(true);
  });

  it.skipIf(process.getuid?.() !== 0)('copies into volumes of root, where only the group may write', () => {
    const asFsGroup = (here: string) => {
      for (const path of [directory, here]) chmodSync(path, 0o755);
      for (const path of ['mnt/flux', 'mnt/flux/software']) {
        chownSync(join(here, path), 0, 1000);
        chmodSync(join(here, path), 0o2775);
      }
    };
    const place = copy(asFsGroup, { uid: 1000, gid: 1000 });
    expect(timesIn(place)).toEqual(copied.map((path) => [path, old]));
  });
});

it.each(['/bin/sh', '/bin/bash'])('view.sh copies a view, and what %s sources of it finds Flux', (shell) => {
  const spec = { flux: { environment: { GREETING: "it's" } } };
  const here = place(spec, {}, ['/opt/view', '/opt/software', '/mnt/flux']);
  const view = join(here, '/opt/views/._view/abc');
  for (const path of ['bin', 'lib/python3.11/site-packages'])
    mkdirSync(join(view, path), { recursive: true });
  for (const path of ['opt/software/gcc', 'mnt/flux/software'])
    mkdirSync(join(here, path), { recursive: true });
  for (const name of ['python3.11', 'python3.11-config']) writeFileSync(join(view, 'bin', name), '');
  writeFileSync(join(view, 'bin/flux'), '#!/bin/sh\necho "flux $*"\n', { mode: 0o755 });
  execFileSync('/bin/bash', [join(here, 'view.sh')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const copied = join(here, 'mnt/flux');
  expect(existsSync(join(copied, 'view/bin/flux'))).toBe(true);
  expect(existsSync(join(copied, 'software/gcc'))).toBe(true);
  expect(execFileSync('readlink', [join(copied, 'view/bin/python3')], { encoding: 'utf8' }).trim()).toBe(
    'python3.11',
  );
  const environment = readFileSync(join(copied, 'flux-view.sh'), 'utf8');
  const told = execFileSync(shell, ['-c', `${environment}\necho "$GREETING $fluxsocket $PYTHONPATH"`], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  expect(told.trim()).toBe(
    `it's local:///run/flux-pod/run/flux/local ${copied}/view/lib/python3.11/site-packages`,
  );
  const connected = execFileSync(join(copied, 'flux-connect.sh'), {
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
  expect(connected).toBe('flux proxy local:///run/flux-pod/run/flux/local bash\n');
});

it.each([
  ['none', '/usr/bin:/bin', true],
  ['the view’s on PATH already', '/usr/bin:/bin:VIEW/bin', true],
  ['one of its own', 'OWN:/usr/bin:/bin', false],
])('start.sh makes the view’s Python packages found where the image has %s', (_, path, found) => {
  const here = place({ flux: { scheduler: { simple: true } } }, { commands: { pre: 'true' } }, ['/mnt/flux']);
  const view = join(here, 'mnt/flux/view');
  for (const bin of [join(view, 'bin'), join(here, 'own')]) {
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'flux'), '#!/bin/sh\n', { mode: 0o755 });
  }
  for (const each of ['lib/python3.11/site-packages', 'lib/flux/modules', 'etc/flux'])
    mkdirSync(join(view, each), { recursive: true });
  const { stdout } = spawnSync(
    '/bin/bash',
    [join(here, 'start.sh'), 'sh', '-c', 'echo "$PYTHONPATH $FLUX_MODULE_PATH $FLUX_RC_EXTRA"'],
    {
      env: { PATH: path.replace('VIEW', view).replace('OWN', join(here, 'own')), JOB_COMPLETION_INDEX: '0' },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  // With scheduler.simple no rc script of Fluxion is run.
  expect(stdout.trim()).toBe(found ? `${view}/lib/python3.11/site-packages ${view}/lib/flux/modules` : '');
});
