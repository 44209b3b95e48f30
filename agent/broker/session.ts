import { readdirSync, readFileSync } from 'node:fs';

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

/** proc(5), /proc/PID/stat: after the command in parentheses come state, parent, process group and session. */
export function processesOf(session: number, proc = '/proc'): number[] {
  return readdirSync(proc)
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`${proc}/${name}/stat`, 'utf8');
        const [state, , , id] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(id) === session && state !== 'Z';
      } catch {
        return false;
      }
    })
    .map(Number);
}
