import { listProcesses } from './process-table.ts';

/**
 * Kills every process of a session. A broker leads a session of its own, and its descendants stay in it whatever their process group: so
 * none of them, such as the tasks of a job, outlives a broker that was killed. One may start another after the list was taken: so it is taken
 * again until it shows no other.
 */
export function killSession(leader: number, proc = '/proc'): void {
  const killed = new Set<number>();
  for (let round = 0; round < mostRounds; round++) {
    const others = processesOf(leader, proc).filter((pid) => !killed.has(pid));
    if (others.length === 0) return;
    for (const pid of others) {
      killed.add(pid);
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has exited meanwhile.
      }
    }
  }
}

/** What starts processes faster than they are listed is not caught up with: the end of the pod ends it. */
const mostRounds = 100;

export const processesOf = (session: number, proc?: string): number[] =>
  listProcesses(proc)
    .filter((process) => process.session === session)
    .map(({ pid }) => pid);
