import { kubectl } from './kubectl.ts';
import type { Place, RunningMiniCluster } from './minicluster.ts';

/** What a command in the leader's pod writes, with Flux's environment. Throws where it fails, or there is no leader. */
export async function inLeader(
  { namespace }: Pick<Place, 'namespace'>,
  cluster: RunningMiniCluster,
  ...command: readonly string[]
): Promise<string> {
  const leader = await cluster.podOf(0);
  if (!leader) throw new Error(`${cluster.name} has no leader`);
  const { name } = leader.metadata;
  return kubectl([
    'exec',
    '-n',
    namespace,
    name,
    '-c',
    cluster.name,
    '--',
    '/mnt/flux-pod/flux-pod',
    'shell',
    '--',
    ...command,
  ]);
}
