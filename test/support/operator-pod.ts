/** What the Flux Operator mounts into a pod, and what its init container leaves there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PodFile } from './pod-files.ts';

const fixtures = join(import.meta.dirname, '../system/fixtures/operator');

export const operatorFile = (kind: 'attach' | 'run', name: 'wait-0.sh' | 'flux-init.sh'): string =>
  readFileSync(join(fixtures, kind, name), 'utf8');

/** The files of a pod of one of the MiniClusters in docs/flux-operator.md. `edit` changes its wait script. */
export function operatorMounts(
  kind: 'attach' | 'run',
  certificate: string,
  edit: (waitScript: string) => string,
): Record<string, PodFile> {
  const init = operatorFile(kind, 'flux-init.sh');
  const [, brokerToml = ''] = /broker\.toml\n(\[access\][\s\S]*?)\nEOT\n/.exec(init) ?? [];
  const [, hosts = ''] = /^hosts="(.*)"$/m.exec(init) ?? [];
  const config = '/mnt/flux/config';
  const directory = { content: '' };
  return {
    '/flux_operator/wait-0.sh': { content: edit(operatorFile(kind, 'wait-0.sh')), mode: 0o777 },
    '/flux_operator/flux-init.sh': { content: init, mode: 0o777 },
    // As ConfigMaps are mounted.
    '/flux_operator/curve.cert': { content: certificate, mode: 0o644 },
    [`${config}/etc/flux/system/hostlist`]: { content: `${hosts}\n` },
    [`${config}/etc/flux/config/broker.toml`]: { content: `${brokerToml}\n` },
    // Its directories.
    [`${config}/etc/flux/system/cron.d/.keep`]: directory,
    [`${config}/run/flux/.keep`]: directory,
    [`${config}/var/lib/flux/.keep`]: directory,
    '/mnt/flux/view/.keep': directory,
  };
}
