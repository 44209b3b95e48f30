import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { killSession, processesOf } from '../../../agent/broker/process/kill-session.ts';

describe('a session', () => {
  it('is killed whole: its leader, process groups of their own, and orphans', async () => {
    const script = 'sleep 1000 & (sleep 1001 &) ; set -m; sleep 1002 & echo up; wait';
    const leader = spawn('/bin/bash', ['-c', script], {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(leader.stdout, 'data');
    const pid = leader.pid ?? 0;
    await expect.poll(() => processesOf(pid).length).toBe(4);
    const ended = once(leader, 'exit');
    killSession(pid);
    expect(await ended).toEqual([null, 'SIGKILL']);
    await expect.poll(() => processesOf(pid)).toEqual([]);
  });

  it('that is over has no process', () => {
    killSession(2 ** 22 + 1);
  });
});
