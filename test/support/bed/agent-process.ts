/** A pod's agent as the kernel shows it on this machine (proc(5)). */
import { readdirSync, readFileSync } from 'node:fs';
import type { Pod, PodProcess } from './pod.ts';

/** The agent's process: the first Node.js that PID 1 has started. */
export function agentOf(pod: Pod): PodProcess {
  const agent = pod.processes().find(({ command, pid }) => pid > 1 && /^(MainThread|node)/.test(command));
  if (!agent) throw new Error(`${pod.name} has no agent`);
  return agent;
}

/** The directory that shows it. */
export const agentProc = (pod: Pod): string => `${pod.proc()}/${agentOf(pod).pid}`;

/** What a process holds: private memory, or all that is resident, now or at most, in KiB. */
export const heldKb = (proc: string, what: 'RssAnon' | 'VmRSS' | 'VmHWM'): number =>
  Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`${proc}/status`, 'utf8'))?.[1]);

export const openFiles = (proc: string): number => readdirSync(`${proc}/fd`).length;
