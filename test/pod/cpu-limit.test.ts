import { describe, expect, it } from 'vitest';
import { offeredCores, readCpuAllowance } from '../../agent/pod/cpu-limit.ts';

type Files = Readonly<Record<string, string>>;
const readIn = (files: Files) => (path: string) => files[path];
const limitIn = (files: Files) => readCpuAllowance(readIn(files)).limit;

/** A pod whose cpuset is `cpus`, on a node whose cores have these hardware threads. */
function node(cpus: string, cores: readonly string[], file = 'core_cpus_list'): Files {
  const siblings = cores.flatMap((core) =>
    expand(core).map((cpu) => [`/sys/devices/system/cpu/cpu${cpu}/topology/${file}`, `${core}\n`] as const),
  );
  return {
    '/proc/self/status': `Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${cpus}\nMems_allowed_list:\t0\n`,
    ...Object.fromEntries(siblings),
  };
}

const expand = (core: string): number[] => {
  const [first = 0, last = first] = core.split('-').map(Number);
  return core.includes(',') ? core.split(',').map(Number) : [first, ...(last === first ? [] : [last])];
};

const cores64 = Array.from({ length: 64 }, (_, core) => String(core));
const v2 = (path: string) => ({ '/proc/self/cgroup': `0::${path}\n` });

describe('the cores of a cpuset', () => {
  it.each<[string, Files, number]>([
    ['all of a node', node('0-63', cores64), 64],
    ['some of a node', node('2,5-7', cores64), 4],
    ['one', node('9', cores64), 1],
    ['two threads each, neighbours', node('0-3', ['0-1', '2-3']), 2],
    ['two threads each, far apart', node('0-3', ['0,2', '1,3']), 2],
    ['of which one thread is allowed', node('0,1', ['0,2', '1,3']), 2],
    ['whose threads are the only ones allowed', node('0,2', ['0,2', '1,3']), 1],
    ['of a kernel before 5.3', node('0-3', ['0,2', '1,3'], 'thread_siblings_list'), 2],
    ['whose siblings no file tells', node('0-3', []), 4],
    ['where nothing is told', {}, 1],
  ])('are counted, not their hardware threads: %s', (_, files, cores) => {
    expect(readCpuAllowance(readIn(files)).cores).toBe(cores);
  });
});

describe('the CPU limit under cgroup v2', () => {
  it.each<[string, Files, number | undefined]>([
    ['at the root of a container’s mount', { ...v2('/'), '/sys/fs/cgroup/cpu.max': '200000 100000\n' }, 2],
    ['whatever path is told', { ...v2('/../../pod1'), '/sys/fs/cgroup/cpu.max': '50000 100000\n' }, 0.5],
    ['none', { ...v2('/'), '/sys/fs/cgroup/cpu.max': 'max 100000\n' }, undefined],
    ['none where the controller is off', v2('/'), undefined],
    [
      'of the group itself',
      { ...v2('/kubepods/pod1'), '/sys/fs/cgroup/kubepods/pod1/cpu.max': '150000 100000' },
      1.5,
    ],
    [
      'the tightest of nested groups, inner',
      {
        ...v2('/kubepods/pod1/c1'),
        '/sys/fs/cgroup/kubepods/cpu.max': '6400000 100000',
        '/sys/fs/cgroup/kubepods/pod1/cpu.max': '400000 100000',
        '/sys/fs/cgroup/kubepods/pod1/c1/cpu.max': '300000 100000',
      },
      3,
    ],
    [
      'the tightest of nested groups, outer',
      {
        ...v2('/kubepods/pod1/c1'),
        '/sys/fs/cgroup/kubepods/pod1/cpu.max': '100000 50000',
        '/sys/fs/cgroup/kubepods/pod1/c1/cpu.max': 'max 100000',
      },
      2,
    ],
    ['none of a group beside', { ...v2('/a'), '/sys/fs/cgroup/b/cpu.max': '100000 100000' }, undefined],
  ])('is %s', (_, files, limit) => {
    expect(limitIn(files)).toBe(limit);
  });
});

describe('the CPU limit under cgroup v1', () => {
  const group = (path: string, quota: string, period = '100000\n'): Files => ({
    [`${path}/cpu.cfs_quota_us`]: quota,
    [`${path}/cpu.cfs_period_us`]: period,
  });
  const told = (controllers: string, path: string): Files => ({
    '/proc/self/cgroup': `12:cpuset:/elsewhere\n4:${controllers}:${path}\n1:name=systemd:${path}\n0::${path}\n`,
  });

  it.each<[string, Files, number | undefined]>([
    [
      'at the root of a container’s mount',
      { ...told('cpu,cpuacct', '/kubepods/pod1'), ...group('/sys/fs/cgroup/cpu,cpuacct', '200000\n') },
      2,
    ],
    ['under the link cpu', { ...told('cpu,cpuacct', '/'), ...group('/sys/fs/cgroup/cpu', '50000\n') }, 0.5],
    ['of cpu alone', { ...told('cpu', '/'), ...group('/sys/fs/cgroup/cpu', '100000\n', '50000\n') }, 2],
    ['none', { ...told('cpu,cpuacct', '/'), ...group('/sys/fs/cgroup/cpu', '-1\n') }, undefined],
    [
      'the tightest of nested groups',
      {
        ...told('cpuacct,cpu', '/kubepods/pod1'),
        ...group('/sys/fs/cgroup/cpuacct,cpu/kubepods', '800000'),
        ...group('/sys/fs/cgroup/cpuacct,cpu/kubepods/pod1', '-1'),
      },
      8,
    ],
    [
      'none that only cpuset and cpuacct have',
      { '/proc/self/cgroup': '3:cpuacct:/\n2:cpuset:/\n', ...group('/sys/fs/cgroup/cpu', '100000') },
      undefined,
    ],
  ])('is %s', (_, files, limit) => {
    expect(limitIn(files)).toBe(limit);
  });

  it('counts beside that of v2 where both are mounted', () => {
    const files = {
      ...told('cpu,cpuacct', '/'),
      ...group('/sys/fs/cgroup/cpu', '300000'),
      '/sys/fs/cgroup/cpu.max': '200000 100000',
    };
    expect(limitIn(files)).toBe(2);
  });

  it.each(['', 'garbage', '4:cpu\n'])('is none where /proc/self/cgroup holds %j', (told) => {
    expect(limitIn({ '/proc/self/cgroup': told, '/sys/fs/cgroup/cpu.max': '100000 100000' })).toBeUndefined();
  });
});

describe('the cores offered to jobs', () => {
  it.each([
    [64, undefined, 64],
    [64, 2, 2],
    [64, 1.5, 1],
    [64, 0.5, 1],
    [64, 2.9999, 2],
    [2, 64, 2],
    [1, 0.1, 1],
  ])('of %i cores under a limit of %s CPUs are %i', (cores, limit, offered) => {
    expect(offeredCores({ cores, limit })).toBe(offered);
  });

  it('are 2 in a pod of 2 CPUs on a node of 64 cores', () => {
    const files = { ...node('0-63', cores64), ...v2('/'), '/sys/fs/cgroup/cpu.max': '200000 100000\n' };
    expect(offeredCores(readCpuAllowance(readIn(files)))).toBe(2);
  });

  it('are at least one on this machine', () => {
    expect(offeredCores(readCpuAllowance())).toBeGreaterThanOrEqual(1);
  });
});
