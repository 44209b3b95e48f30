import { environmentFor, findFlux } from '../../agent/broker/find-flux.ts';
import { ExitCode, PodError } from '../../agent/errors.ts';
import { askAgent } from './ask-agent.ts';
import type { FoundDirectory } from './find-run-directory.ts';

/** The environment in which `flux` speaks to this pod's broker. Throws a PodError (exit 69) where no broker runs. */
export async function instanceEnvironment(
  directory: FoundDirectory,
  environment: NodeJS.ProcessEnv,
): Promise<NodeJS.ProcessEnv> {
  const { body } = await askAgent(directory, '/status');
  const { broker } = JSON.parse(body) as { broker?: { flux?: string; state?: string } };
  if (!broker || broker.state === 'exit')
    throw new PodError(ExitCode.peersUnavailable, 'There is no broker in this pod now', {
      hint: '`flux-pod status` shows what the pod waits for.',
    });
  const flux = broker.flux ?? findFlux(environment.FLUX_POD_FLUX, environment.PATH ?? '');
  return { ...environmentFor(flux, environment), FLUX_URI: `local://${directory.brokerSocket}` };
}
