import { ExitCode, PodError } from '../../../agent/errors.ts';
import type { ParsedArguments } from '../../command-line/arguments.ts';
import { askAgent, directoryFlags, findRunDirectory } from '../../running-pod/ask-agent.ts';
import type { Verb } from '../verb.ts';

/** `flux-pod release`: lets a pod end that has failed and is held (FLUX_POD_ON_FAILURE=hold). */
export const release: Verb = {
  forms: { '': 'ends a failed pod that is held (FLUX_POD_ON_FAILURE=hold)' },
  flags: directoryFlags,
  examples: ['flux-pod release'],
  run: releasePod,
};

async function releasePod({ flags }: ParsedArguments): Promise<number> {
  const { status } = await askAgent(await findRunDirectory(flags, process.env), '/release', {
    method: 'POST',
  });
  if (status !== 200)
    throw new PodError(ExitCode.usage, 'Cannot release this pod: it is not held', {
      hint: '`flux-pod status` shows what it does.',
    });
  process.stdout.write('The pod ends now.\n');
  return 0;
}
