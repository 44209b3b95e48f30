import { listProcesses } from './process-table.ts';

/**
 * Kills every process of a session. A broker leads a session of its own, and its descendants stay in it whatever their process group: so
 * none of them, such as the tasks of a job, outlives a broker that was killed.
 */
export function killSession(leader: number, proc = '/proc'): void {
  for (const pid of processesOf(leader, proc)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has exited meanwhile.
    }
  }
}

export const processesOf = (session: number, proc?: string): number[] =>
  listProcesses(proc)
    .filter((process) => process.session === session)
    .map(({ pid }) => pid);
