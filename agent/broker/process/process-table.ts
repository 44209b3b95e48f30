import { readdirSync, readFileSync } from 'node:fs';

/** One process (proc_pid_stat(5)). */
export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Clock ticks since the machine started. */
  readonly startedAt: number;
}

/** All processes without zombies. */
export function listProcesses(proc = '/proc'): Process[] {
  return readdirSync(proc)
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`${proc}/${name}/stat`, 'utf8');
        // The command, field 2, is in parentheses and may have spaces. Field 3 is the state, field 22 the start.
        const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        const [parent = 0, group = 0, session = 0] = fields.map(Number);
        return state === 'Z'
          ? []
          : [{ pid: Number(name), parent, group, session, startedAt: Number(fields[18]) }];
      } catch {
        return []; // it has exited meanwhile
      }
    });
}

/**
 * The process id of the initial program, while it runs: the broker does not forward signals to it. A broker that leads its process group
 * starts the program in that group, and everything else, such as rc1 and the shells of jobs, in groups of their own (flux-core
 * src/broker/broker.c, rc2_nopgrp; src/common/libsubprocess). In a terminal each has its own, and the program is the oldest while the
 * broker is in state run (`runs`).
 */
export function findProgram(broker: number, runs: boolean, proc?: string): number | undefined {
  const processes = listProcesses(proc);
  const children = processes.filter(({ parent }) => parent === broker);
  const together = children.filter(({ group }) => group === broker);
  const [program] = (together.length > 0 || !runs ? together : children).sort(
    (a, b) => a.startedAt - b.startedAt,
  );
  return program?.pid;
}
