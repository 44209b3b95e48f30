import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { installOnHost } from '../../support/project/flux-pod.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('SKIPPED: what another user plants for root. Only root can be attacked so.');

/** Becomes user 65534, listens as an agent would, and names a `flux` that tells on who runs it. */
const attacker = `
const { chmodSync, mkdirSync, symlinkSync, writeFileSync } = require('node:fs');
const [directory, tool] = process.argv.slice(1);
mkdirSync(tool, { recursive: true });
writeFileSync(tool + '/flux', '#!/bin/sh\\necho "planted flux runs as $(id -u)"\\n');
chmodSync(tool + '/flux', 0o755);
mkdirSync(directory + '/run/flux', { recursive: true, mode: 0o700 });
symlinkSync('/etc/passwd', directory + '/run/flux/local');
const answer = JSON.stringify({ broker: { flux: tool + '/flux', state: 'run', states: [] }, why: 'planted' });
process.umask(0o077);
require('node:http').createServer((_, response) => response.end(answer))
  .listen(directory + '/agent.sock', () => console.log('listening'));
`;

interface Attack {
  /** Where it is planted, and what root sets. */
  readonly directory: string;
  readonly env?: string;
  /** What root has made before. */
  readonly before?: string;
}

/** Runs a command of root after the attack, in a mount namespace with /run and /tmp of its own. */
function asVictim({ directory, env = '', before = '' }: Attack, command: string) {
  // The checkout may be below what is covered.
  const image = '/mnt';
  const script = `
    mount --bind ${installOnHost()} ${image}
    mount -t tmpfs -o mode=755 tmpfs /run; mount -t tmpfs -o mode=1777 tmpfs /tmp
    ${before}
    setpriv --reuid 65534 --regid 65534 --clear-groups ${image}/node -e "$ATTACKER" ${directory} /tmp/evil >/tmp/ready &
    until grep -q listening /tmp/ready; do kill -0 $! || exit 99; done
    ${env} ${join(image, 'flux-pod')} ${command}
    code=$?
    kill $!
    exit $code`;
  const result = spawnSync('unshare', ['--mount', 'sh', '-c', script], {
    encoding: 'utf8',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ATTACKER: attacker },
  });
  expect(result.status, result.stderr).not.toBe(99);
  return result;
}

describe.skipIf(!isRoot)('what user 65534 plants at /tmp/flux-pod-0 for root', () => {
  const planted = { directory: '/tmp/flux-pod-0' };

  it.each([
    ["shell -- sh -c 'flux jobs'"],
    ['shell --job f1 -- flux jobs'],
    ['env'],
    ['status'],
    ['probe ready'],
    ['release'],
    ['jobs'],
    ['submit -- hostname'],
  ])('is not believed by `flux-pod %s`, which names it and the reason', (command) => {
    const { stdout, stderr, status } = asVictim(planted, command);
    expect(stderr).toContain(
      'flux-pod: Cannot use the run-time directory /tmp/flux-pod-0: it belongs to user 65534, not to user 0. It is skipped.',
    );
    expect(stdout + stderr).not.toContain('planted');
    expect(status).not.toBe(0);
  });
});

describe.skipIf(!isRoot)('what user 65534 plants in an emptyDir that is open to all', () => {
  const emptyDir = {
    directory: '/tmp/empty',
    env: 'FLUX_POD_DIR=/tmp/empty',
    before: 'mkdir -m 777 /tmp/empty',
  };

  it('runs as that user, never as root', () => {
    const { stdout, status } = asVictim(emptyDir, "shell -- sh -c 'flux jobs; id -u'");
    expect(status).toBe(0);
    expect(stdout).toBe('planted flux runs as 65534\n65534\n');
  });

  it('is no environment for a shell of root', () => {
    const { stdout, stderr, status } = asVictim(emptyDir, 'env');
    expect({ stdout, status }).toEqual({ stdout: '', status: 64 });
    expect(stderr).toContain("Cannot give root the environment of user 65534's broker");
  });

  it('is not believed by any other user', () => {
    const { stdout, stderr, status } = asVictim(
      { ...emptyDir, env: 'FLUX_POD_DIR=/tmp/empty setpriv --reuid 1000 --regid 1000 --clear-groups' },
      'shell -- flux jobs',
    );
    expect({ stdout, status }).toEqual({ stdout: '', status: 78 });
    expect(stderr).toContain(
      'Cannot use the run-time directory /tmp/empty: /tmp/empty/agent.sock: it belongs to user 65534, not to user 1000',
    );
  });
});
