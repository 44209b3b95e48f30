import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import { initialProgram } from '../../../agent/broker/process/initial-program.ts';
import type { Configuration } from '../../../agent/config/configuration.ts';
import { readEnvironment } from '../../../agent/config/layers.ts';
import { resolveConfiguration } from '../../../agent/config/resolve.ts';
import { podFacts } from '../bed/pod-facts.ts';
import { environmentOf } from '../manifests/miniclusters.ts';

/**
 * What flux-pod makes of the environment and the command in pod 1 of a Job. Throws for a setting that is unknown or wrong, and
 * for a COMMAND that does not fit the mode.
 */
export function configuredJob({ metadata, spec }: Job): Configuration {
  const [container] = spec?.template.spec?.containers ?? [];
  if (!container) throw new Error('the Job has no container');
  const { layer, problems } = readEnvironment(environmentOf(container));
  const facts = podFacts({ name: `${metadata?.name}-1`, index: 1, address: '10.88.0.3' });
  const { configuration } = resolveConfiguration(facts, [layer], { problems, terminal: false });
  const command = (container.command ?? []).map((word) => word.replaceAll('$$', '$'));
  initialProgram(configuration, command.slice(command.lastIndexOf('run') + 2), '/batch.sh');
  return configuration;
}
