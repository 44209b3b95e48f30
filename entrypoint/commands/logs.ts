import { ExitCode, PodError } from '../../agent/errors.ts';
import { parseVerbArguments } from '../arguments.ts';
import { clientFlags, openJobs } from '../jobs-client.ts';
import { watchJob } from '../watch-job.ts';

/** `flux-pod logs ID`: what a job has written and writes, until it has ended; resolves to its exit code. */
export async function logs(args: readonly string[]): Promise<number> {
  const { flags, positionals } = parseVerbArguments('logs', args, clientFlags, 1);
  const [id] = positionals;
  if (id === undefined)
    throw new PodError(ExitCode.usage, 'Cannot show a log: ID is missing', {
      hint: '`flux-pod jobs` lists the jobs.',
    });
  using jobs = await openJobs(flags, process.env);
  await jobs.job(id);
  // Awaited here: the way to the jobs is closed behind it.
  return await watchJob(jobs, id, flags);
}
