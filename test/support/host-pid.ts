import { readdirSync, readFileSync } from 'node:fs';
import type { Pod } from './pod.ts';

/** The host's number of a process of a pod. */
export function hostPid(pod: Pod, pid: number): number {
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      const numbers = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
      const uts = readFileSync(`/proc/${name}/environ`, 'utf8');
      if (numbers.length > 1 && Number(numbers.at(-1)) === pid && uts.includes(`HOSTNAME=${pod.name}`))
        return Number(name);
    } catch {
      // It has ended meanwhile.
    }
  }
  throw new Error(`${pod.name} has no process ${pid}`);
}
