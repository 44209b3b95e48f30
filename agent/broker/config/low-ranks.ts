/**
 * New jobs get the free nodes of the lowest ranks while the instance is elastic: a Job loses its highest indexes, and one long job on the
 * highest rank would keep all pods below it. Flux's own scheduler gives them the nodes with the most free cores, so that jobs spread over all
 * nodes (flux-core src/bindings/python/flux/resource/Rv1Pool.py, _sort_candidates(), which is there to be overridden).
 */
import type { TomlTable } from 'smol-toml';

/**
 * Keys of broker.toml, for whichever scheduler is loaded. `module` is the file with the text of lowRanksModule(), where Flux's own scheduler
 * can be replaced by it (flux-modprobe(1); bindings/python/flux/modprobe.py, _update_modules_from_config()).
 */
export const lowRanksTable = (module: string | undefined): TomlTable => ({
  // flux-config-sched-fluxion-resource(5): the default, `first`, takes the first nodes that it meets.
  'sched-fluxion-resource': { 'match-policy': 'lonode' },
  ...(module !== undefined && { modules: { 'sched-simple': { module } } }),
});

/** A scheduler module: Flux's own, in a process of its own, where all but the order of nodes is as it was. Of a Flux without that order it is the same. */
export const lowRanksModule = (schedSimple: string): string => `# Written by flux-pod.
from flux.importer import import_path

try:
    from flux.resource.Rv1Pool import Rv1Pool

    def lowest_ranks_first(self, candidates):
        return sorted(candidates, key=lambda candidate: candidate[0])

    Rv1Pool._sort_candidates = lowest_ranks_first
except ImportError:
    pass

mod_main = import_path(${JSON.stringify(schedSimple)}).mod_main
`;
