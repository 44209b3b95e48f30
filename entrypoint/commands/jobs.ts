import type { JobAnswer } from '../../agent/api/schemas.ts';
import { ExitCode, PodError } from '../../agent/errors.ts';
import { printable } from '../../agent/printable.ts';
import { type Flag, parseVerbArguments } from '../arguments.ts';
import { clientFlags, openJobs } from '../jobs-client.ts';

export const jobsFlags = {
  ...clientFlags,
  all: { type: 'boolean', short: 'a', meaning: 'also those that have ended' },
  state: {
    type: 'string',
    value: 'STATE[,STATE]',
    meaning: 'those in one of these: SCHED, RUN, INACTIVE, ...',
  },
  search: { type: 'string', value: 'TEXT', meaning: 'those that have it in their name, id, queue or nodes' },
  limit: { type: 'string', value: 'N', meaning: 'so many at most, 1 to 1000 (default: 50)' },
  json: { type: 'boolean', meaning: 'as JSON' },
} as const satisfies Record<string, Flag>;

/** `flux-pod jobs [--all] [--search TEXT] [--json]`: jobs that wait or run; with `--all` also those that have ended. */
export async function jobs(args: readonly string[]): Promise<number> {
  const { flags } = parseVerbArguments('jobs', args, jobsFlags);
  const limit = Number(flags.limit ?? 50);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw new PodError(ExitCode.usage, `Cannot list jobs: --limit ${flags.limit} is not from 1 to 1000`);
  const everything = flags.all || flags.search !== undefined;
  const state = typeof flags.state === 'string' ? flags.state.toUpperCase().split(',') : undefined;
  using client = await openJobs(flags, process.env);
  const page = await client.page({
    limit,
    state: state ?? (everything ? undefined : ['ACTIVE']),
    search: typeof flags.search === 'string' ? flags.search : undefined,
  });
  process.stdout.write(flags.json ? `${printable(JSON.stringify(page))}\n` : table(page.jobs));
  return 0;
}

function table(jobs: readonly JobAnswer[]): string {
  const rows = jobs.map(({ id, name, state, result, ntasks, nnodes, runtime, nodelist }) =>
    [id, name, result ?? state, ntasks, nnodes, runtime?.toFixed(1), nodelist].map((cell) =>
      printable(String(cell ?? '-')),
    ),
  );
  const all = [['JOBID', 'NAME', 'STATE', 'TASKS', 'NODES', 'SECONDS', 'HOSTS'], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
