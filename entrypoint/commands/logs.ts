import { ExitCode, PodError } from '../../agent/errors.ts';
import { parseVerbArguments } from '../arguments.ts';
import { clientFlags, type JobsClient, openJobs } from '../jobs-client.ts';

/** `flux-pod logs ID`: what a job has written and writes, until it has ended. */
export async function logs(args: readonly string[]): Promise<number> {
  const { flags, positionals } = parseVerbArguments('logs', args, clientFlags, 1);
  const [id] = positionals;
  if (id === undefined)
    throw new PodError(ExitCode.usage, 'Cannot show a log: ID is missing', {
      hint: '`flux-pod jobs` lists the jobs.',
    });
  using jobs = await openJobs(flags, process.env);
  await jobs.job(id);
  await copyOutput(jobs, id);
  return 0;
}

/** Copies the job's output. Resolves to its exit code. */
export async function followJob(jobs: JobsClient, id: string): Promise<number> {
  await copyOutput(jobs, id);
  for (;;) {
    const { state, returncode, result } = await jobs.job(id);
    if (state === 'INACTIVE') return returncode ?? (result === 'COMPLETED' ? 0 : 1);
    // The output is complete a moment before the job is inactive.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function copyOutput(jobs: JobsClient, id: string): Promise<void> {
  for await (const { stream, data } of jobs.output(id))
    (stream === 'stdout' ? process.stdout : process.stderr).write(data);
}
