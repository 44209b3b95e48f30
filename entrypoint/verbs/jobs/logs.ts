import { ExitCode, PodError } from '../../../agent/errors.ts';
import type { ParsedArguments } from '../../command-line/arguments.ts';
import { clientFlags, openJobs } from '../../jobs/jobs-client.ts';
import { watchJob } from '../../jobs/watch-job.ts';
import { jobIds, type Verb } from '../verb.ts';

/** `flux-pod logs ID`: what a job has written and writes, until it has ended; resolves to its exit code. */
export const logs: Verb = {
  forms: { ID: "a job's output until it ends; exits with the job's exit code" },
  flags: clientFlags,
  words: jobIds,
  takes: 1,
  examples: ['flux-pod logs f2qx7SvB'],
  run: showLogs,
};

async function showLogs({ flags, positionals }: ParsedArguments): Promise<number> {
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
