/** Jobs that differ by a number only, many by one request, as `flux submit --cc` submits them. */

import { parseIdset } from '../cluster/idset.ts';
import { messageOf } from '../errors.ts';
import type { FluxClient } from '../flux/client.ts';
import { detailOf, FluxError } from '../flux/errors.ts';
import { JobError } from './job-error.ts';
import type { SimpleJob } from './job-schemas.ts';
import type { JobDefaults } from './jobspec.ts';
import { submit } from './submit-job.ts';

const most = 10_000;
/** Concurrent submissions: enough to keep the broker busy, and not all of 10,000 jobspecs in memory. */
const atOnce = 1024;

/**
 * Submits `job` once for each number of an RFC 22 idset, which the copy has in FLUX_JOB_CC and, in its command, in the place of `{cc}`.
 * Resolves to the ids of the jobs (F58) in the order of the numbers. Throws a JobError, with the ids of the jobs that were submitted before.
 */
export async function submitCopies(
  client: FluxClient,
  cc: string,
  job: SimpleJob,
  defaults: JobDefaults,
): Promise<string[]> {
  const [first = 0, ...rest] = readNumbers(cc);
  const one = async (number: number) => (await submit(client, copyOf(job, number), defaults)).id;
  // An error of one jobspec is one of all: the first is submitted alone.
  const ids = [await one(first)];
  const queue = inTurn(rest);
  const some = async () => {
    for (const [place, number] of queue) ids[place + 1] = await one(number);
  };
  const endings = await Promise.allSettled(Array.from({ length: Math.min(atOnce, rest.length) }, some));
  // A failed submission leaves a hole.
  const submitted = ids.filter(() => true);
  const failure = endings.find((ending) => ending.status === 'rejected');
  if (!failure) return submitted;
  throw new JobError(
    'partly-submitted',
    `${submitted.length} of ${rest.length + 1} jobs were submitted, then: ${reasonOf(failure.reason)}`,
    { submitted, cause: failure.reason },
  );
}

function reasonOf(error: unknown): string {
  if (error instanceof FluxError) return detailOf(error);
  return error instanceof JobError ? error.message : 'an internal error';
}

/** For several consumers that share it: when one of them throws, it is exhausted for the others. */
function* inTurn<Item>(items: readonly Item[]): Generator<[number, Item], void> {
  yield* items.entries();
}

function readNumbers(cc: string): number[] {
  const wrong = (what: string) =>
    new JobError('invalid', `cc: ${what}`, { faults: [{ where: '/cc', what }] });
  let numbers: number[];
  try {
    numbers = parseIdset(cc);
  } catch (error) {
    throw wrong(messageOf(error));
  }
  if (numbers.length === 0 || numbers.length > most)
    throw wrong(`there are ${numbers.length} numbers, expected from 1 to ${most}`);
  return numbers;
}

function copyOf(job: SimpleJob, number: number): SimpleJob {
  const numbered = (text: string) => text.replaceAll('{cc}', String(number));
  const { command } = job;
  return {
    ...job,
    command: typeof command === 'string' ? numbered(command) : command.map(numbered),
    environment: { ...job.environment, FLUX_JOB_CC: String(number) },
  };
}
