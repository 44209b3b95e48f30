import { ExitCode, PodError } from '../../../agent/errors.ts';
import { printableLines } from '../../../agent/printable.ts';
import type { ParsedArguments } from '../../command-line/arguments.ts';
import { clientFlags, openJobs } from '../../jobs/jobs-client.ts';
import { jobIds, type Verb } from '../verb.ts';

/** `flux-pod cancel ID...`: cancels jobs; an error of one is printed, and the others are cancelled. */
export const cancel: Verb = {
  forms: { 'ID...': 'cancels jobs' },
  flags: clientFlags,
  words: jobIds,
  takes: Number.POSITIVE_INFINITY,
  examples: ['flux-pod cancel f2qx7SvB'],
  run: cancelJobs,
};

async function cancelJobs({ flags, positionals }: ParsedArguments): Promise<number> {
  if (positionals.length === 0)
    throw new PodError(ExitCode.usage, 'Cannot cancel: ID is missing', {
      hint: '`flux-pod jobs` lists the jobs.',
    });
  using jobs = await openJobs(flags, process.env);
  let code = 0;
  for (const id of positionals) {
    await jobs.cancel(id).catch((error: unknown) => {
      if (!(error instanceof PodError)) throw error;
      process.stderr.write(printableLines(`flux-pod: ${id}: ${error.message}\n`));
      code = error.exitCode;
    });
  }
  return code;
}
