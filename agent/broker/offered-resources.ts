import { existsSync, readdirSync } from 'node:fs';
import type { Configuration } from '../config/configuration.ts';
import { offeredCores, readCpuAllowance } from '../pod/cpu-limit.ts';
import type { OfferedResources } from './broker-toml.ts';

/**
 * What each host offers to jobs: the leader's broker schedules on it, a follower's verifies it. Undefined leaves it to hwloc, which knows
 * no CPU limit, no host that is not there yet, and none that comes back: Flux takes a lost node of discovered resources out for good
 * (flux-core src/modules/resource/acquire.c). So with more than one host the pods count as alike, and the number is written down.
 */
export function offeredResources({ resources, maxSize, hosts }: Configuration): OfferedResources {
  switch (resources.from) {
    case 'discovery':
      return undefined;
    case 'file':
      return { path: resources.path };
    case 'counts':
      return { cores: resources.cores, gpus: resources.gpus };
    case 'auto': {
      const allowance = readCpuAllowance();
      const alone = maxSize === 1 && hosts === undefined;
      if (allowance.limit === undefined && alone) return undefined;
      return { cores: offeredCores(allowance), gpus: countGpus() };
    }
  }
}

/** The GPUs whose device files are in this container: /dev/nvidia0, ..., or the render nodes of AMD's driver. */
function countGpus(): number {
  const count = (directory: string, name: RegExp) =>
    existsSync(directory) ? readdirSync(directory).filter((entry) => name.test(entry)).length : 0;
  return count('/dev', /^nvidia\d+$/) || (existsSync('/dev/kfd') ? count('/dev/dri', /^renderD\d+$/) : 0);
}
