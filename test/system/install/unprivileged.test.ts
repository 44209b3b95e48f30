import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { installOnHost } from '../../support/project/flux-pod.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('SKIPPED: containers of user 1000. Only root can become another user.');

const as1000 = 'setpriv --reuid 1000 --regid 1000 --clear-groups';

/** Runs a script of root in a mount namespace with directories of its own; `$AS_USER $FLUX_POD` is flux-pod as user 1000, in `/`. */
function inContainer(script: string, { tmp = 1777 } = {}) {
  const mounts = { '/run': 755, '/mnt': 755, '/tmp': tmp, '/dev/shm': 1777 };
  const prepare = Object.entries(mounts).map(
    ([path, mode]) => `mount -t tmpfs -o mode=${mode} tmpfs ${path}\n`,
  );
  const { stdout, stderr, status } = spawnSync(
    'unshare',
    // The checkout may be below what is covered.
    [
      '--mount',
      'sh',
      '-c',
      `set -e\nmount --bind ${installOnHost()} /media\n${prepare.join('')}cd /\n${script}`,
    ],
    {
      encoding: 'utf8',
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        AS_USER: as1000,
        FLUX_POD: '/media/flux-pod',
        ...{ FLUX_POD_SIZE: '1', FLUX_POD_INDEX: '0', FLUX_POD_CLUSTER: 'mc', FLUX_POD_ADDRESS: '127.0.0.1' },
        FLUX_POD_HTTP: 'off',
      },
    },
  );
  return { stdout, stderr, status };
}

describe.skipIf(!isRoot)('user 1000, who cannot make /run/flux-pod,', () => {
  it('learns from doctor and config where the agent would be', () => {
    const doctor = inContainer('$AS_USER $FLUX_POD doctor || true').stdout;
    expect(doctor).toMatch(/^ok +run-time directory +\/tmp\/flux-pod-1000 can be written$/m);
    const { stdout, stderr, status } = inContainer('$AS_USER $FLUX_POD config');
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^# \/tmp\/flux-pod-1000\/broker\.toml$/m);
  });

  it('learns from doctor that no directory can be written, where that is so', () => {
    const { stdout, status } = inContainer('$AS_USER $FLUX_POD doctor', { tmp: 755 });
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /^BAD +run-time directory +\/tmp\/flux-pod-1000 cannot be used: user 1000 cannot write in \/tmp \(EACCES\)$/m,
    );
  });

  it.each([
    ['--bundle', {}, '/tmp/flux-pod-bundle.txt'],
    ['--bundle', { tmp: 755 }, '/dev/shm/flux-pod-bundle.txt'],
    ['--bundle /tmp/mine', {}, '/tmp/mine'],
    ['--bundle=/tmp/mine', {}, '/tmp/mine'],
  ])('gets the file of doctor %s, %j, at %s, which the output says', (flag, options, path) => {
    const { stdout } = inContainer(
      `$AS_USER $FLUX_POD doctor ${flag} || true; stat -c '%u %a' ${path}; head -1 ${path}`,
      options,
    );
    expect(stdout).toContain(`\n${path} holds what a maintainer would ask for.`);
    expect(stdout).toMatch(/^1000 600\n===== versions$/m);
  });

  it.each(['--bundle -', '--bundle=-'])('gets the bundle alone on stdout with doctor %s', (flag) => {
    const { stdout } = inContainer(`$AS_USER $FLUX_POD doctor ${flag} || true; ls /tmp /dev/shm`);
    expect(stdout).toMatch(/^===== versions\nflux-pod /);
    expect(stdout).not.toMatch(/flux-pod-bundle\.txt|holds what/);
  });

  it('gets the way out where the bundle cannot be written at the given path', () => {
    const { stderr, status } = inContainer('$AS_USER $FLUX_POD doctor --bundle /mnt/mine');
    expect(status).toBe(78);
    expect(stderr).toMatch(/^flux-pod: Cannot write \/mnt\/mine: EACCES/);
    expect(stderr).toContain('`--bundle -` writes to stdout');
  });
});

describe.skipIf(!isRoot)('flux-pod attach as user 1000 in the image of docs/flux-operator.md', () => {
  /** The Operator's script ends once a probe has found the agent, or where there is none, once attach has said so. */
  const attach = (env: string, seen: string) => `
    mkdir -m 777 /mnt/flux
    ${env} $AS_USER $FLUX_POD attach 2>/mnt/log & attached=$!
    until ${seen}; do kill -0 $attached || break; done
    touch /mnt/flux/flux-operator-complete.txt
    code=0; wait $attached || code=$?
    cat /mnt/log >&2
    exit $code`;

  it('has its socket in /dev/shm where it can write nowhere else, and ends with 0 as the wait script does', () => {
    const found = "$AS_USER $FLUX_POD probe ready | grep 'there is no broker yet: no such socket'";
    const { stdout, stderr, status } = inContainer(attach('', found), { tmp: 755 });
    expect(stdout).toMatch(/^there is no broker yet: no such socket/);
    expect(stderr).toContain('Cannot use /tmp/flux-pod-1000: EACCES');
    expect(status, stderr).toBe(0);
  });

  it('does without a socket where FLUX_POD_DIR cannot be written, says why, and ends with 0 as the wait script does', () => {
    const { stderr, status } = inContainer(
      attach('FLUX_POD_DIR=/mnt/agent', "grep -q 'Waiting for a broker' /mnt/log"),
    );
    expect(stderr).toContain('Cannot use the run-time directory /mnt/agent: EACCES');
    expect(stderr).toContain('There is no run-time directory: probes and status are served over HTTP only');
    expect(status, stderr).toBe(0);
  });
});
