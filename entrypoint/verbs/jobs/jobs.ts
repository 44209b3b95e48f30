import { ExitCode, PodError } from '../../../agent/errors.ts';
import { reasonOf } from '../../../agent/jobs/job-reason.ts';
import { type JobAnswer, stateFilters } from '../../../agent/jobs/job-schemas.ts';
import { printable } from '../../../agent/printable.ts';
import { didYouMean } from '../../../agent/suggestion.ts';
import type { Flags, ParsedArguments } from '../../command-line/arguments.ts';
import { table } from '../../command-line/table.ts';
import { clientFlags, openJobs } from '../../jobs/jobs-client.ts';
import type { Verb } from '../verb.ts';

/** `flux-pod jobs [--all] [--search TEXT] [--json]`: active jobs; with `--all` also inactive ones. */
export const jobs: Verb = {
  forms: { '[--all] [--search TEXT]': 'lists active jobs' },
  flags: {
    all: { type: 'boolean', short: 'a', meaning: 'also inactive jobs' },
    state: {
      type: 'string',
      value: 'STATE[,STATE]',
      choices: stateFilters,
      meaning: `jobs in one of these states, or with one of these results: ${stateFilters.join(', ')}`,
    },
    search: {
      type: 'string',
      value: 'TEXT',
      meaning: 'jobs with TEXT in their name, id, queue or hosts, inactive ones too',
    },
    limit: { type: 'string', value: 'N', meaning: 'number of jobs at most, 1 to 1000 (default: 50)' },
    json: { type: 'boolean', meaning: 'prints JSON' },
    ...clientFlags,
  },
  examples: ['flux-pod jobs', 'flux-pod jobs --state FAILED,TIMEOUT', 'flux-pod jobs --search lammps'],
  more: 'INFO is why a job waits, or why it ended without success.\n',
  run: listJobs,
};

async function listJobs({ flags }: ParsedArguments): Promise<number> {
  const limit = Number(flags.limit ?? 50);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw usage(`--limit: expected a whole number from 1 to 1000, not ${flags.limit}`);
  const everything = flags.all || flags.search !== undefined;
  const state = statesOf(flags);
  using client = await openJobs(flags, process.env);
  const page = await client.page({
    limit,
    state: state ?? (everything ? undefined : ['ACTIVE']),
    search: typeof flags.search === 'string' ? flags.search : undefined,
  });
  process.stdout.write(flags.json ? `${printable(JSON.stringify(page))}\n` : jobsTable(page.jobs));
  return 0;
}

const usage = (why: string): PodError => new PodError(ExitCode.usage, `Cannot list jobs: ${why}`);

function statesOf({ state }: Flags): string[] | undefined {
  if (typeof state !== 'string') return undefined;
  const names = state.toUpperCase().split(',');
  const unknown = names.find((name) => !stateFilters.some((known) => known === name));
  if (unknown === undefined) return names;
  const suggestion = didYouMean(unknown, stateFilters);
  throw usage(`--state: expected some of ${stateFilters.join(', ')}, not ${unknown}${suggestion}`);
}

/** INFO, as in `flux jobs`: why a job waits, or why it ended without success. */
function jobsTable(jobs: readonly JobAnswer[]): string {
  const header = ['JOBID', 'NAME', 'STATE', 'TASKS', 'NODES', 'SECONDS', 'HOSTS', 'INFO'];
  const rows = jobs.map((job) => {
    const { id, name, state, result, ntasks, nnodes, runtime, nodelist } = job;
    const cells = [id, name, result ?? state, ntasks, nnodes, runtime?.toFixed(1), nodelist || undefined];
    return [...cells.map((cell) => printable(String(cell ?? '-'))), printable(reasonOf(job))];
  });
  return table([header, ...rows]);
}
