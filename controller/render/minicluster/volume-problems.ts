import { isDeepStrictEqual } from 'node:util';
import { paths } from '../reserved/paths.ts';
import { type FieldProblem, formatPath } from './field-problem.ts';
import type { MiniClusterContainer, MiniClusterVolume } from './schema.ts';

/** The fields that name what a volume is of; a volume has one. */
export const volumeKinds = [
  'csiDriver',
  'secretName',
  'emptyDir',
  'hostPath',
  'configMapName',
  'claimName',
] as const;

const reservedPaths: readonly string[] = Object.values(paths);

/** The kind of a volume; undefined where none or several are named. */
export function kindOf(volume: MiniClusterVolume): (typeof volumeKinds)[number] | undefined {
  const named = volumeKinds.filter((kind) => volume[kind]);
  return named.length === 1 ? named[0] : undefined;
}

/** Where a volume is mounted: the Operator puts every emptyDir at /dev/shm, whatever its path. */
export const mountPathOf = (volume: MiniClusterVolume): string | undefined =>
  volume.path ?? (volume.emptyDir ? '/dev/shm' : undefined);

/** What is wrong with the volumes of the containers of one pod. */
export function volumeProblems(containers: readonly MiniClusterContainer[], base: string): FieldProblem[] {
  const seen = new Map<string, MiniClusterVolume>();
  return containers.flatMap((container, index) => {
    const paths = new Set<string>();
    return Object.entries(container.volumes ?? {}).flatMap(([name, volume]) => {
      const path = formatPath(['volumes', name], `${base}[${index}]`);
      const problems = eachVolume(name, volume, path);
      const mountPath = mountPathOf(volume);
      if (mountPath !== undefined && paths.has(mountPath)) {
        problems.push({ path: `${path}.path`, why: `${mountPath} is the path of another volume as well` });
      }
      paths.add(mountPath ?? '');
      const earlier = seen.get(name);
      if (earlier && !isDeepStrictEqual(sourceOf(earlier), sourceOf(volume))) {
        problems.push({ path, why: `is of something else than the volume "${name}" of another container` });
      }
      seen.set(name, volume);
      return problems;
    });
  });
}

function eachVolume(name: string, volume: MiniClusterVolume, path: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name) || name.startsWith('flux-pod')) {
    problems.push({
      path,
      why: `"${name}" is no name for a volume: expected a DNS label that does not begin with flux-pod`,
    });
  }
  const named = volumeKinds.filter((kind) => volume[kind]);
  if (named.length !== 1) {
    problems.push({
      path,
      why:
        named.length === 0
          ? `names nothing to mount: write emptyDir: true for an empty volume, or one of ${volumeKinds.filter((kind) => kind !== 'emptyDir').join(', ')}`
          : `names ${named.join(' and ')}: expected one of ${volumeKinds.join(', ')}`,
    });
  } else if (mountPathOf(volume) === undefined) {
    problems.push({ path: `${path}.path`, why: 'is missing: expected where to mount the volume' });
  }
  if (volume.emptyDirMedium !== undefined && storageMedium(volume.emptyDirMedium) === undefined) {
    problems.push({
      path: `${path}.emptyDirMedium`,
      why: `expected "memory", not "${volume.emptyDirMedium}"`,
    });
  }
  const mountPath = mountPathOf(volume)?.replace(/\/+$/, '');
  if (mountPath !== undefined && reservedPaths.includes(mountPath)) {
    problems.push({ path: `${path}.path`, why: `${mountPath} is flux-pod's own in every pod` });
  }
  return problems;
}

/** The Operator accepts "memory" and takes anything else for the default; Kubernetes writes it with a capital. */
export function storageMedium(medium: string): string | undefined {
  if (/^memory$/i.test(medium)) return 'Memory';
  return medium === '' || /^HugePages(-\S+)?$/.test(medium) ? medium : undefined;
}

const sourceOf = ({ path: _path, readOnly: _readOnly, ...source }: MiniClusterVolume) => source;
