import { listProcesses } from './process-table.ts';

/**
 * Kills every process of a session. A broker leads a session of its own, and what it starts stays in it whatever process group it
 * gets: so nothing of a broker that was killed, such as the tasks of a job, outlives it.
 */
export function killSession(leader: number, proc = '/proc'): void {
  for (const pid of processesOf(leader, proc)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

export const processesOf = (session: number, proc?: string): number[] =>
  listProcesses(proc)
    .filter((process) => process.session === session)
    .map(({ pid }) => pid);
