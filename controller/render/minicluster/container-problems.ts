import { refuseServiceName } from '../reserved/names.ts';
import { softwareVolume } from '../reserved/paths.ts';
import { ports } from '../reserved/ports.ts';
import { type FieldProblem, formatPath } from './field-problem.ts';
import type { MiniCluster, MiniClusterContainer } from './schema.ts';
import { volumeProblems } from './volume-problems.ts';

/** What is wrong with containers and services, each and together. */
export function containerProblems(miniCluster: MiniCluster): FieldProblem[] {
  const { spec } = miniCluster;
  const { containers, services = [] } = spec;
  const fluxContainers = containers.filter((container) => container.runFlux || containers.length === 1);
  return [
    ...(fluxContainers.length === 1
      ? []
      : [
          {
            path: 'spec.containers',
            why: `expected one container with runFlux: true, not ${fluxContainers.length}`,
          },
        ]),
    ...containers.flatMap((container, index) => {
      const path = `spec.containers[${index}]`;
      return [
        ...eachContainer(container, path, fluxContainers.includes(container)),
        ...reservedPorts(container, path),
      ];
    }),
    ...services.flatMap((service, index) => serviceProblems(service, `spec.services[${index}]`)),
    ...repeatedNames(containers, 'spec.containers'),
    ...takenNames(miniCluster, fluxContainers[0]),
    ...repeatedNames(services, 'spec.services'),
    ...volumeProblems(containers, 'spec.containers'),
    ...volumeProblems(services, 'spec.services'),
  ];
}

function eachContainer(container: MiniClusterContainer, path: string, runsFlux: boolean): FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (!runsFlux && container.name === undefined) {
    problems.push({
      path: `${path}.name`,
      why: 'is missing: a container that does not run Flux needs a name',
    });
  }
  if (!runsFlux && container.name !== undefined && container.ports?.length) {
    const why = refuseServiceName(container.name);
    if (why) problems.push({ path: `${path}.name`, why: `${why}: its ports make it a Service` });
  }
  if (runsFlux && container.launcher && container.batch) {
    problems.push({ path: `${path}.batch`, why: 'cannot be with launcher: choose one' });
  }
  if (runsFlux && container.command && container.commands?.script) {
    problems.push({ path: `${path}.commands.script`, why: 'cannot be with command: choose one' });
  }
  const names = [...Object.keys(container.environment ?? {}), ...Object.keys(container.secrets ?? {})];
  for (const name of names.filter((name) => !/^[A-Za-z_.-][\w.-]*$/.test(name))) {
    problems.push({
      path: formatPath([name in (container.environment ?? {}) ? 'environment' : 'secrets', name], path),
      why: 'is no name for a variable: expected letters, digits, _, - and dots, no digit first',
    });
  }
  return problems;
}

function reservedPorts({ ports: used = [] }: MiniClusterContainer, path: string): FieldProblem[] {
  return used.flatMap((port, index) => {
    if (used.indexOf(port) < index)
      return [{ path: `${path}.ports[${index}]`, why: `${port} is there twice` }];
    const ours = Object.entries(ports).find(([, reserved]) => reserved === port)?.[0];
    return ours
      ? [{ path: `${path}.ports[${index}]`, why: `${port} is flux-pod's own in every pod (${ours})` }]
      : [];
  });
}

/** Names that rendering gives to containers, volumes and Services of its own. */
function takenNames(
  { metadata, spec }: MiniCluster,
  fluxContainer: MiniClusterContainer | undefined,
): FieldProblem[] {
  const { disable, name: view = 'flux-view' } = spec.flux?.container ?? {};
  const added = ['flux-pod-install', ...(disable ? [] : [view])];
  const isUnnamed = fluxContainer !== undefined && fluxContainer.name === undefined;
  const ours = [...added, ...(isUnnamed ? [metadata.name] : [])];
  const volumes = disable ? [] : [view, softwareVolume];
  return [
    ...(isUnnamed && added.includes(metadata.name)
      ? [
          {
            path: 'metadata.name',
            why: `"${metadata.name}" is the name of a container that is added: give the container that runs Flux a name`,
          },
        ]
      : []),
    ...(view.startsWith('flux-pod')
      ? [
          {
            path: 'spec.flux.container.name',
            why: 'cannot begin with flux-pod: those names are flux-pod’s own',
          },
        ]
      : []),
    ...spec.containers.flatMap(({ name = '', volumes: own = {} }, index) => [
      ...(ours.includes(name)
        ? [
            {
              path: `spec.containers[${index}].name`,
              why: `"${name}" is the name of a container that is added`,
            },
          ]
        : []),
      ...volumes
        .filter((volume) => volume in own)
        .map((volume) => ({
          path: formatPath(['volumes', volume], `spec.containers[${index}]`),
          why: `"${volume}" is the name of a volume of the Flux view`,
        })),
    ]),
  ];
}

function serviceProblems(service: MiniClusterContainer, path: string): FieldProblem[] {
  const unsupported = (['pre', 'brokerPre', 'workerPre'] as const).filter((key) => service.commands?.[key]);
  return [
    ...eachContainer({ ...service, ports: [] }, path, false),
    // The Operator refuses these too.
    ...unsupported.map((key) => ({ path: `${path}.commands.${key}`, why: 'cannot be in a service' })),
  ];
}

function repeatedNames(containers: readonly MiniClusterContainer[], path: string): FieldProblem[] {
  const names = containers.map(({ name }) => name);
  return names.flatMap((name, index) =>
    name !== undefined && names.indexOf(name) < index
      ? [{ path: `${path}[${index}].name`, why: `"${name}" is the name of an earlier container` }]
      : [],
  );
}
