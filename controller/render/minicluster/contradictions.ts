import { parse as parseToml } from 'smol-toml';
import { parseCertificate } from '../../../agent/broker/certificate/curve-certificate.ts';
import { isKeyPair } from '../../../agent/broker/certificate/key-pair.ts';
import { parseTopology } from '../../../agent/cluster/topology.ts';
import { tomlFault } from '../../../agent/config/toml-fault.ts';
import { parseDuration } from '../../../agent/duration.ts';
import { namesOf, refuseClusterName, refuseServiceName } from '../reserved/names.ts';
import { apiPortOf } from './api-port.ts';
import { hostsProblems } from './bursting.ts';
import { containerProblems } from './container-problems.ts';
import { type FieldProblem, formatPath } from './field-problem.ts';
import { whyNoAutoscaling } from './kueue.ts';
import type { MiniCluster, MiniClusterSpec } from './schema.ts';

/** What is wrong with a MiniCluster whose fields are right each for itself. */
export function contradictions(miniCluster: MiniCluster): FieldProblem[] {
  const { spec } = miniCluster;
  return [
    ...nameProblems(miniCluster),
    ...sizeProblems(spec),
    ...queueProblems(miniCluster),
    ...containerProblems(miniCluster),
    ...fluxProblems(spec),
    ...stateProblems(spec),
    ...scriptProblems(spec),
    ...hostsProblems(miniCluster),
  ];
}

function nameProblems(miniCluster: MiniCluster): FieldProblem[] {
  const { metadata, spec } = miniCluster;
  const name = refuseClusterName(metadata.name, Math.max(spec.size, spec.maxSize ?? 1));
  const names = namesOf(metadata.name, spec.network?.headlessName);
  const service = spec.network?.headlessName && refuseServiceName(names.service);
  const servesApi = spec.containers.some((container) => apiPortOf(container) !== undefined);
  const taken = [names.service, names.job, names.httpService, ...(servesApi ? [names.apiService] : [])];
  const services = spec.containers.flatMap(({ name: own = '', ports, runFlux }, index) =>
    ports?.length && !runFlux && taken.includes(own)
      ? [{ path: `spec.containers[${index}].name`, why: `"${own}" is the name of another Service` }]
      : [],
  );
  return [
    ...services,
    ...(name ? [{ path: 'metadata.name', why: name }] : []),
    ...(service ? [{ path: 'spec.network.headlessName', why: service }] : []),
  ];
}

function sizeProblems({ size, minSize, maxSize, autoscaling }: MiniClusterSpec): FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (autoscaling && !(minSize !== undefined && maxSize !== undefined && minSize < maxSize)) {
    problems.push({
      path: 'spec.autoscaling',
      why: 'needs spec.minSize and spec.maxSize, and room between them',
    });
  }
  if (maxSize !== undefined && maxSize < size) {
    problems.push({ path: 'spec.maxSize', why: `expected at least the size, ${size}, not ${maxSize}` });
  }
  if (minSize !== undefined && minSize > size) {
    problems.push({ path: 'spec.minSize', why: `expected at most the size, ${size}, not ${minSize}` });
  }
  return problems;
}

function queueProblems(miniCluster: MiniCluster): FieldProblem[] {
  const why = miniCluster.spec.autoscaling && whyNoAutoscaling(miniCluster);
  return why ? [{ path: 'spec.autoscaling', why }] : [];
}

function stateProblems({ flux, size, maxSize = size }: MiniClusterSpec): FieldProblem[] {
  const { stateVolume } = flux ?? {};
  if (!stateVolume) return [];
  const path = 'spec.flux.stateVolume';
  return [
    ...(/[1-9]/.test(stateVolume.size.replace(/e.*/i, '')) && !stateVolume.size.startsWith('-')
      ? []
      : [{ path: `${path}.size`, why: `expected more than nothing, not ${stateVolume.size}` }]),
    ...(stateVolume.accessMode === 'ReadWriteOncePod' && maxSize > 1
      ? [{ path: `${path}.accessMode`, why: 'is ReadWriteOncePod, but all pods of a Job mount the volume' }]
      : []),
  ];
}

function fluxProblems({ flux }: MiniClusterSpec): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const attempt = (path: string, parse: () => unknown) => {
    try {
      parse();
    } catch (error) {
      problems.push({ path, why: tomlFault(error) });
    }
  };
  if (flux?.topology !== undefined) attempt('spec.flux.topology', () => parseTopology(flux.topology ?? ''));
  if (flux?.brokerConfig) attempt('spec.flux.brokerConfig', () => parseToml(flux.brokerConfig ?? ''));
  if (flux?.curveCert) {
    const damage = certificateDamage(flux.curveCert);
    if (damage) problems.push({ path: 'spec.flux.curveCert', why: `is no CURVE certificate: ${damage}` });
  }
  return problems;
}

/** What a shell, or the list of the broker's options, would read as something else. */
function scriptProblems({ flux, archive }: MiniClusterSpec): FieldProblem[] {
  const problems = Object.keys(flux?.environment ?? {})
    .filter((name) => !isIdentifier(name))
    .map((name) => ({
      path: formatPath(['environment', name], 'spec.flux'),
      why: 'is no name for a variable of a shell: expected letters, digits and _, no digit first',
    }));
  if (archive?.path && /\s/.test(archive.path)) {
    problems.push({
      path: 'spec.archive.path',
      why: 'cannot have white space: it becomes an option of the broker',
    });
  }
  if (flux?.connectTimeout && parseDuration(flux.connectTimeout) === undefined) {
    problems.push({
      path: 'spec.flux.connectTimeout',
      why: `expected a duration such as 5s, not ${JSON.stringify(flux.connectTimeout)}`,
    });
  }
  return problems;
}

/** C_IDENTIFIER, as Kubernetes calls it (apimachinery/pkg/util/validation, IsCIdentifier). */
const isIdentifier = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);

function certificateDamage(text: string): string | undefined {
  const reading = parseCertificate(text);
  if ('damage' in reading) return reading.damage;
  return isKeyPair(reading.certificate) ? undefined : 'its public key does not belong to its secret key';
}
