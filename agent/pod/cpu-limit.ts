import { readFileSync } from 'node:fs';
import { parseCpuList } from '../cluster/idset.ts';

/** Reads a small file of /proc or /sys whole; undefined where there is none. */
export type ReadText = (path: string) => string | undefined;

/** The CPUs that this pod may use. */
export interface CpuAllowance {
  /** Cores with at least one hardware thread in the pod's cpuset. */
  readonly cores: number;
  /** The cgroup's CPU bandwidth limit in CPUs, such as 1.5; undefined where there is none. */
  readonly limit: number | undefined;
}

export function readCpuAllowance(readText: ReadText = readTextFile): CpuAllowance {
  return { cores: coresInCpuset(readText), limit: cpuLimit(readText) };
}

/** Cores to offer to jobs: those of the cpuset, but no more than the CPU limit lets run, and at least one. */
export function offeredCores({ cores, limit }: CpuAllowance): number {
  return limit === undefined ? cores : Math.max(1, Math.min(cores, Math.floor(limit)));
}

/** Hardware threads of one core name the same siblings (Documentation/admin-guide/cputopology.rst of Linux). */
function coresInCpuset(readText: ReadText): number {
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readText('/proc/self/status') ?? '')?.[1] ?? '0';
  const siblings = parseCpuList(allowed).map((cpu) => {
    const topology = `/sys/devices/system/cpu/cpu${cpu}/topology`;
    return (
      readText(`${topology}/core_cpus_list`) ?? readText(`${topology}/thread_siblings_list`) ?? `only ${cpu}`
    );
  });
  return Math.max(1, new Set(siblings).size);
}

/**
 * The tightest CPU limit among this process's cgroup and its ancestors. In a container the files of its own cgroup lie
 * at the mount's root, whatever path /proc/self/cgroup has, so the root counts in both versions.
 */
function cpuLimit(readText: ReadText): number | undefined {
  const limits = (readText('/proc/self/cgroup') ?? '').split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) return [];
    if (controllers === '')
      return ancestors(path).map((group) => limitV2(readText(`/sys/fs/cgroup${group}/cpu.max`)));
    if (!controllers.split(',').includes('cpu')) return [];
    return ancestors(path).flatMap((group) =>
      ['cpu', controllers].map((mount) => limitV1(readText, `/sys/fs/cgroup/${mount}${group}`)),
    );
  });
  const set = limits.filter((limit) => limit !== undefined);
  return set.length === 0 ? undefined : Math.min(...set);
}

/** `/a/b` -> `/a/b`, `/a`, and the root, as suffixes of a mount point. */
function ancestors(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  return [...parts.map((_, count) => `/${parts.slice(0, parts.length - count).join('/')}`), ''];
}

/** `cpu.max` holds `QUOTA PERIOD` in microseconds, or `max PERIOD` (Documentation/admin-guide/cgroup-v2.rst). */
function limitV2(text: string | undefined): number | undefined {
  const [quota, period] = (text ?? '').trim().split(' ').map(Number);
  return quota && period ? quota / period : undefined;
}

/** A quota of -1 is no limit (Documentation/scheduler/sched-bwc.rst). */
function limitV1(readText: ReadText, group: string): number | undefined {
  const quota = Number(readText(`${group}/cpu.cfs_quota_us`) ?? -1);
  const period = Number(readText(`${group}/cpu.cfs_period_us`) ?? 0);
  return quota > 0 && period > 0 ? quota / period : undefined;
}

function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // not this kernel, or not this cgroup version: the other places are read
  }
}
