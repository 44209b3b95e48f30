/** Watches a job to its end for `submit --watch` and `logs`: its output, why it ended, and its exit code, as `flux job attach` does. */
import { once } from 'node:events';
import { signalCode } from '../../agent/errors.ts';
import { taskFailure } from '../../agent/jobs/job-reason.ts';
import type { JobAnswer } from '../../agent/jobs/job-schemas.ts';
import { printable } from '../../agent/printable.ts';
import type { Flags } from '../command-line/arguments.ts';
import type { JobsClient } from './jobs-client.ts';

/** Copies the job's output, and prints why it ended where it has failed. Resolves to its exit code, or to 130 where Ctrl-C ended the watch. */
export async function watchJob(jobs: JobsClient, id: string, flags: Flags): Promise<number> {
  const interrupted = interruption();
  const ended = (async () => {
    for await (const { stream, data } of jobs.output(id)) {
      const target = stream === 'stdout' ? process.stdout : process.stderr;
      // What the reader of a socket has not taken would be held here.
      if (!target.write(data)) await once(target, 'drain');
    }
    const job = await ending(jobs, id);
    process.stderr.write(endLines(job));
    return exitCodeOf(job);
  })();
  const code = await Promise.race([ended, interrupted.signalled]);
  if (code !== undefined) {
    interrupted.release();
    return code;
  }
  // An error of the abandoned watch is ignored.
  ended.catch(() => undefined);
  const verb = (word: string) => ['flux-pod', word, ...sameWay(flags), id].join(' ');
  process.stderr.write(
    `\nflux-pod: ${id} goes on: \`${verb('cancel')}\` cancels it, \`${verb('logs')}\` shows its output\n`,
  );
  return signalCode('SIGINT');
}

function interruption(): { readonly signalled: Promise<undefined>; readonly release: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const listener = () => resolve(undefined);
  process.once('SIGINT', listener);
  return { signalled: promise, release: () => void process.off('SIGINT', listener) };
}

/** The flags by which this command has found the jobs, so that the next one finds them too. */
function sameWay(flags: Flags): string[] {
  return ['dir', 'config', 'url', 'token-file'].flatMap((name) =>
    typeof flags[name] === 'string' ? [`--${name}`, flags[name]] : [],
  );
}

/** The output is complete a moment before the job is inactive. */
async function ending(jobs: JobsClient, id: string): Promise<JobAnswer> {
  for (;;) {
    const job = await jobs.job(id);
    if (job.state === 'INACTIVE') return job;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** flux-core src/cmd/job/attach.c: the tasks' exit code, and 1 where there is none or where it is 0 in spite of a fatal exception. */
export function exitCodeOf({ returncode, exception, result }: JobAnswer): number {
  if (returncode === undefined) return result === 'COMPLETED' ? 0 : 1;
  if (returncode !== 0) return returncode;
  return exception?.severity === 0 && result !== 'COMPLETED' ? 1 : 0;
}

/** The lines of `flux job attach`. */
export function endLines({ id, exception, returncode }: JobAnswer): string {
  const { type = 'unknown', severity = 0, note = '' } = exception ?? {};
  const failure = returncode === undefined ? undefined : taskFailure(returncode);
  return [
    ...(exception ? [`job.exception ${id} type=${type} severity=${severity} ${note}`.trimEnd()] : []),
    ...(failure === undefined ? [] : [failure]),
  ]
    .map((line) => `flux-pod: ${printable(line)}\n`)
    .join('');
}
