import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeAgentPlace } from '../../support/agent/agent.ts';
import { installOnHost } from '../../support/project/flux-pod.ts';

const place = makeAgentPlace();
afterAll(place.remove);
const { env } = place;

/** Whether a process has a handler for SIGUSR1 (proc_pid_status(5)). */
function catchesUsr1(pid: number): boolean {
  const [, mask] = /^SigCgt:\s*(\w+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return mask !== undefined && (BigInt(`0x${mask}`) & (1n << 9n)) !== 0n;
}

const program = join(installOnHost(), 'flux-pod');

function start(command: string, args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const child = spawn(command, args, { env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = once(child, 'close').then(([code]) => ({ code, stdout, stderr }));
  return { child, said: () => stderr, ended };
}

/** Starts flux-pod with SIGUSR1 sent and blocked, so that it comes when Node.js unblocks it: with the handler that opens the inspector. */
const startSignalled = (args: readonly string[], more?: Readonly<Record<string, string>>) =>
  start('env', ['--block-signal=USR1', 'sh', '-c', 'kill -USR1 $$; exec "$@"', 'sh', program, ...args], more);

/** Holds Node.js before it runs the program until `release` is called: another thread of it handles the signal, in its own time. */
function hold(name: string) {
  const go = join(place.directory, `go-${name}`);
  const script = `console.error('held'); while (!require('node:fs').existsSync(${JSON.stringify(go)}));`;
  return {
    held: { NODE_OPTIONS: `--require=${place.file(`${name}.cjs`, script)}` },
    release: () => writeFileSync(go, ''),
  };
}

describe('SIGUSR1 before the agent takes its signals opens no inspector', () => {
  const isHelp = ({ code, stdout, stderr }: Awaited<ReturnType<typeof start>['ended']>) => {
    expect(stderr).not.toContain('Debugger listening');
    // The signal did reach Node.js's own handler.
    expect(stderr).toContain('Starting inspector on 192.0.2.1:9229 failed');
    expect(code).toBe(0);
    expect(stdout).toContain('flux-pod run');
  };

  it('while Node.js starts, when the signal is blocked, and the program runs all the same', async () => {
    const { held, release } = hold('blocked');
    const { said, ended } = startSignalled(['help'], held);
    await expect.poll(said).toContain('Starting inspector');
    release();
    isHelp(await ended);
  });

  it('while Node.js starts, when the signal is caught, and the program runs all the same', async () => {
    const { held, release } = hold('caught');
    const { child, said, ended } = start(program, ['help'], held);
    await expect.poll(said).toContain('held');
    expect(catchesUsr1(child.pid ?? 0)).toBe(true);
    child.kill('SIGUSR1');
    await expect.poll(said).toContain('Starting inspector');
    release();
    isHelp(await ended);
  });

  it('while a pod starts, which then runs its program', async () => {
    const { code, stdout, stderr } = await startSignalled(['run', '--', 'echo', 'up']).ended;
    expect(stderr).not.toContain('Debugger listening');
    expect(stderr).toContain('Starting inspector on 192.0.2.1:9229 failed');
    expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: 'up\n' });
  });
});
