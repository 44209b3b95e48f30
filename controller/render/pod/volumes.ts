import type { Volume } from 'kubernetes-types/core/v1.d.ts';
import type { Cluster, Placed } from '../minicluster/cluster.ts';
import { formatPath } from '../minicluster/field-problem.ts';
import type { MiniClusterVolume } from '../minicluster/schema.ts';
import { kindOf, storageMedium } from '../minicluster/volume-problems.ts';
import { softwareVolume } from '../reserved/paths.ts';
import { needsCertificate } from './flux-container.ts';
import { viewVolume } from './flux-view.ts';
import { installationVolumes } from './installation.ts';

/** The volumes of a pod: flux-pod's own, then those of its containers, each once. */
export function podVolumes(cluster: Cluster, scripts: Readonly<Record<string, string>>): Volume[] {
  const { names, options, view, spec, fluxContainer, sidecars } = cluster;
  const files = Object.keys(scripts);
  const scriptFiles = files.filter((name) => name !== 'post.sh');
  const items = (keys: readonly string[]) => keys.map((key) => ({ key, path: key }));
  return [
    ...installationVolumes(options),
    emptyDir('flux-pod-run'),
    ...(spec.flux?.stateVolume
      ? [{ name: 'flux-pod-state', persistentVolumeClaim: { claimName: names.stateClaim } }]
      : []),
    ...(sidecars.length > 0 ? [emptyDir('flux-pod-socket')] : []),
    ...(needsCertificate(cluster)
      ? [
          {
            name: 'flux-pod-curve',
            secret: {
              secretName: options.secret ?? names.curveSecret,
              defaultMode: 0o440,
              items: items(['curve.cert']),
            },
          },
        ]
      : []),
    ...(scriptFiles.length > 0
      ? [
          {
            name: 'flux-pod-scripts',
            configMap: { name: names.scripts, defaultMode: 0o555, items: items(scriptFiles) },
          },
        ]
      : []),
    // Alone in its directory: flux-pod takes every file there for a hook.
    ...(files.includes('post.sh')
      ? [
          {
            name: 'flux-pod-hooks',
            configMap: { name: names.scripts, defaultMode: 0o555, items: items(['post.sh']) },
          },
        ]
      : []),
    ...(options.user === 'image' ? [] : [emptyDir('flux-pod-home')]),
    ...(view === undefined ? [] : [emptyDir(viewVolume(cluster)), emptyDir(softwareVolume)]),
    ...(spec.flux?.mungeSecret
      ? [{ name: 'flux-pod-munge', secret: { secretName: spec.flux.mungeSecret, defaultMode: 0o440 } }]
      : []),
    ...containerVolumes(cluster, [fluxContainer, ...sidecars]),
  ];
}

/** The volumes that containers of one pod name. The same name in two containers is the same volume. */
export function containerVolumes({ warn }: Cluster, containers: readonly Placed[]): Volume[] {
  const volumes = new Map<string, Volume>();
  for (const { container, path } of containers) {
    for (const [name, volume] of Object.entries(container.volumes ?? {})) {
      warnAboutUnused(volume, formatPath(['volumes', name], path), warn);
      if (!volumes.has(name)) volumes.set(name, { name, ...sourceOf(volume) });
    }
  }
  return [...volumes.values()];
}

const emptyDir = (name: string): Volume => ({ name, emptyDir: {} });

function sourceOf(volume: MiniClusterVolume): Omit<Volume, 'name'> {
  const {
    items,
    csiDriver = '',
    secretName = '',
    configMapName = '',
    hostPath = '',
    claimName = '',
  } = volume;
  const keys = items && { items: Object.entries(items).map(([key, path]) => ({ key, path })) };
  switch (kindOf(volume)) {
    case 'csiDriver': {
      const { csiDriverAttributes } = volume;
      return {
        csi: { driver: csiDriver, ...(csiDriverAttributes && { volumeAttributes: csiDriverAttributes }) },
      };
    }
    case 'secretName':
      return { secret: { secretName, ...keys } };
    case 'configMapName':
      return { configMap: { name: configMapName, ...keys } };
    case 'hostPath':
      return { hostPath: { path: hostPath, type: 'Directory' } };
    case 'claimName':
      return { persistentVolumeClaim: { claimName } };
    default: {
      const { emptyDirMedium, emptyDirSizeLimit } = volume;
      const medium = emptyDirMedium && storageMedium(emptyDirMedium);
      return {
        emptyDir: { ...(medium && { medium }), ...(emptyDirSizeLimit && { sizeLimit: emptyDirSizeLimit }) },
      };
    }
  }
}

function warnAboutUnused(volume: MiniClusterVolume, path: string, warn: Cluster['warn']): void {
  const kind = kindOf(volume);
  const unused = (field: keyof MiniClusterVolume, kinds: readonly string[]) => {
    if (volume[field] !== undefined && !kinds.includes(kind ?? ''))
      warn(`${path}.${field}`, `is not used: it is for ${kinds.join(' and ')}`);
  };
  unused('emptyDirMedium', ['emptyDir']);
  unused('emptyDirSizeLimit', ['emptyDir']);
  unused('csiDriverAttributes', ['csiDriver']);
  unused('items', ['configMapName', 'secretName']);
}
