import { ExitCode, PodError } from '../../agent/errors.ts';
import { parseVerbArguments } from '../arguments.ts';
import { askAgent, directoryFlags, findRunDirectory } from '../running-pod.ts';

/** `flux-pod release`: lets a pod end that has failed and is held (FLUX_POD_ON_FAILURE=hold). */
export async function release(args: readonly string[]): Promise<number> {
  const { flags } = parseVerbArguments('release', args, directoryFlags);
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
