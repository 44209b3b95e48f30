import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { makeAgentPlace } from '../../support/agent/agent.ts';
import { installOnHost } from '../../support/project/flux-pod.ts';

const place = makeAgentPlace();
afterAll(place.remove);
const { env } = place;

/** SIGUSR1 in the masks of proc_pid_status(5). */
const usr1 = 1n << 9n;

/** What a process does about SIGUSR1; Node.js blocks it until its own handler, which opens the inspector, is there. */
function attitude(pid: number): 'default' | 'blocked' | 'caught' | 'gone' {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return 'gone';
  }
  const has = (mask: string) => {
    const [, digits] = new RegExp(`^${mask}:\\s*(\\w+)`, 'm').exec(status) ?? [];
    return digits !== undefined && (BigInt(`0x${digits}`) & usr1) !== 0n;
  };
  if (!/^SigBlk/m.test(status)) return 'gone';
  return has('SigBlk') ? 'blocked' : has('SigCgt') ? 'caught' : 'default';
}

/** Starts flux-pod and sends SIGUSR1 once in the first of these attitudes that it is seen in. */
async function signalled(args: readonly string[], when: readonly ReturnType<typeof attitude>[]) {
  const child = spawn(join(installOnHost(), 'flux-pod'), args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const closed = once(child, 'close');
  for (;;) {
    const now = attitude(child.pid ?? 0);
    if (now === 'gone' || child.exitCode !== null) throw new Error(`it ended first: ${stderr}`);
    if (when.includes(now)) break;
    await turn();
  }
  child.kill('SIGUSR1');
  const [code] = await closed;
  return { code, stdout, stderr };
}

describe('SIGUSR1 before the agent takes its signals opens no inspector', () => {
  it.each(['blocked', 'caught'] as const)(
    'while Node.js starts, when the signal is %s, and the program runs all the same',
    async (when) => {
      const { code, stdout, stderr } = await signalled(['help'], [when]);
      expect(stderr).not.toContain('Debugger listening');
      // The signal did reach Node.js's own handler.
      expect(stderr).toContain('Starting inspector on 192.0.2.1:9229 failed');
      expect(code).toBe(0);
      expect(stdout).toContain('flux-pod run');
    },
  );

  it('while a pod starts, which then runs its program', async () => {
    const { code, stdout, stderr } = await signalled(['run', '--', 'echo', 'up'], ['blocked']);
    expect(stderr).not.toContain('Debugger listening');
    expect(stderr).toContain('Starting inspector on 192.0.2.1:9229 failed');
    expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: 'up\n' });
  });
});
