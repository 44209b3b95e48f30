import { parse as parseToml } from 'smol-toml';
import { parseCertificate } from '../broker/curve.ts';
import { isKeyPair } from '../broker/curve-keys.ts';
import { parseTopology } from '../cluster/topology.ts';
import { messageOf } from '../errors.ts';
import { hostsProblems } from './bursting.ts';
import { containerProblems } from './container-problems.ts';
import type { MiniCluster, MiniClusterSpec } from './minicluster-schema.ts';
import { namesOf, refuseClusterName, refuseServiceName } from './names.ts';
import type { Problem } from './problems.ts';

/** What is wrong with a MiniCluster whose fields are right each for itself. */
export function contradictions(miniCluster: MiniCluster): Problem[] {
  const { spec } = miniCluster;
  return [
    ...nameProblems(miniCluster),
    ...sizeProblems(spec),
    ...containerProblems(spec),
    ...fluxProblems(spec),
    ...hostsProblems(miniCluster),
  ];
}

function nameProblems(miniCluster: MiniCluster): Problem[] {
  const { metadata, spec } = miniCluster;
  const name = refuseClusterName(metadata.name, Math.max(spec.size, spec.maxSize ?? 1));
  const service = spec.network?.headlessName && refuseServiceName(namesOf(miniCluster).service);
  const { job, httpService } = namesOf(miniCluster);
  const taken = [namesOf(miniCluster).service, job, httpService];
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

function sizeProblems({ size, minSize, maxSize }: MiniClusterSpec): Problem[] {
  const problems: Problem[] = [];
  if (maxSize !== undefined && maxSize < size) {
    problems.push({ path: 'spec.maxSize', why: `expected at least the size, ${size}, not ${maxSize}` });
  }
  if (minSize !== undefined && minSize > size) {
    problems.push({ path: 'spec.minSize', why: `expected at most the size, ${size}, not ${minSize}` });
  }
  return problems;
}

function fluxProblems({ flux }: MiniClusterSpec): Problem[] {
  const problems: Problem[] = [];
  const attempt = (path: string, parse: () => unknown) => {
    try {
      parse();
    } catch (error) {
      problems.push({ path, why: messageOf(error).split('\n', 1)[0] ?? '' });
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

function certificateDamage(text: string): string | undefined {
  const reading = parseCertificate(text);
  if ('damage' in reading) return reading.damage;
  return isKeyPair(reading.certificate) ? undefined : 'its public key does not belong to its secret key';
}
