import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { parseDuration } from '../../../agent/duration.ts';
import { ExitCode, messageOf, PodError } from '../../../agent/errors.ts';
import { faultsOf } from '../../../agent/jobs/faults.ts';
import { jobspecSubmission, simpleJob } from '../../../agent/jobs/job-schemas.ts';
import type { Submission } from '../../../agent/jobs/submit.ts';
import { printable } from '../../../agent/printable.ts';
import { shellLineOf } from '../../../agent/shell-words.ts';
import type { Flags, ParsedArguments } from '../../command-line/arguments.ts';
import { sentenceOf } from '../../jobs/api-errors.ts';
import { clientFlags, openJobs } from '../../jobs/jobs-client.ts';
import { watchJob } from '../../jobs/watch-job.ts';
import { shellLine, type Verb } from '../verb.ts';

/**
 * `flux-pod submit [FLAGS] -- COMMAND ARG...`, or `--jobspec FILE`: prints the job's id; with `--watch` also its output, and ends as
 * it does.
 */
export const submit: Verb = {
  forms: { '[FLAGS] -- COMMAND': 'submits a job: in this pod, or through FLUX_POD_API_URL from elsewhere' },
  flags: {
    nodes: { type: 'string', short: 'N', value: 'N', meaning: 'number of nodes' },
    ntasks: { type: 'string', short: 'n', value: 'N', meaning: 'number of tasks (default: 1, or 1 a node)' },
    'cores-per-task': {
      type: 'string',
      short: 'c',
      value: 'N',
      meaning: 'number of cores for each task (default: 1)',
    },
    'gpus-per-task': {
      type: 'string',
      short: 'g',
      value: 'N',
      meaning: 'number of GPUs for each task (default: 0)',
    },
    'time-limit': {
      type: 'string',
      short: 't',
      value: 'TIME',
      meaning: 'the time limit: 90 (minutes, as in `flux submit`), 90s, 30m, 1.5h; 0 for none',
    },
    watch: { type: 'boolean', short: 'w', meaning: "shows the job's output and exits with its exit code" },
    env: {
      type: 'string',
      multiple: true,
      value: 'NAME[=VALUE]',
      meaning:
        "a variable of the job's environment; without =VALUE it is taken from the environment of this command; may be repeated",
    },
    name: { type: 'string', value: 'NAME', meaning: "the job's name (default: the program's)" },
    cwd: { type: 'string', value: 'DIR', meaning: 'the working directory' },
    exclusive: { type: 'boolean', short: 'x', meaning: 'allocates whole nodes; with --nodes' },
    dependency: {
      type: 'string',
      multiple: true,
      value: 'SCHEME:VALUE',
      meaning: 'a dependency such as afterok:f2qx7SvB (RFC 26); may be repeated',
    },
    queue: { type: 'string', short: 'q', value: 'NAME', meaning: 'the queue' },
    urgency: {
      type: 'string',
      value: 'N',
      meaning: '0 (held) to 31 (most urgent) (default: 16)',
    },
    cc: {
      type: 'string',
      value: 'IDSET',
      meaning:
        'submits one job for each number, such as 1-1000: FLUX_JOB_CC in its environment, {cc} in COMMAND',
    },
    jobspec: {
      type: 'string',
      value: 'FILE',
      meaning: 'a whole jobspec as JSON (RFC 14, 25) in place of COMMAND; - is stdin',
    },
    ...clientFlags,
  },
  takes: 'COMMAND',
  examples: [
    'flux-pod submit --watch -N4 -- hostname',
    'flux-pod submit -n8 -t 30m -- "./prepare && ./a.out"',
    "flux-pod submit --cc 1-1000 -- ./a.out 'in.{cc}'",
  ],
  more: `${shellLine}It prints the job's id. With --watch it prints the job's output and why the job ended, and exits with its exit code.\n`,
  run: submitJob,
};

async function submitJob({ flags, command }: ParsedArguments): Promise<number> {
  const submission = submissionOf(flags, command);
  if (typeof flags.cc === 'string') return submitMany(flags, flags.cc, submission);
  using jobs = await openJobs(flags, process.env);
  const { id } = await jobs.submit(submission);
  if (!flags.watch) {
    process.stdout.write(`${printable(id)}\n`);
    return 0;
  }
  process.stderr.write(`${printable(id)}\n`);
  // Awaited here: the way to the jobs is closed behind it.
  return await watchJob(jobs, id, flags);
}

async function submitMany(flags: Flags, cc: string, submission: Submission): Promise<number> {
  if ('jobspec' in submission || flags.watch)
    throw usage('--cc goes neither with --jobspec nor with --watch');
  using jobs = await openJobs(flags, process.env);
  const ids = await jobs.submitCopies(cc, submission);
  process.stdout.write(ids.map((id) => `${printable(id)}\n`).join(''));
  return 0;
}

/** `environment` is that of this command: for `--env NAME`. Throws a PodError (exit 64) that names the flag. */
export function submissionOf(
  flags: Flags,
  command: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): Submission {
  const urgency = whole(flags.urgency);
  if (typeof flags.jobspec === 'string') {
    if (command.length > 0) throw usage('COMMAND and --jobspec: choose one');
    const jobspec = readJobspec(flags.jobspec);
    return check(jobspecSubmission, { jobspec, ...(urgency !== undefined && { urgency }) });
  }
  if (command.length === 0) throw usage('COMMAND is missing: it stands behind `--`');
  const variables = (Array.isArray(flags.env) ? flags.env : []).map((rule) =>
    variableOf(String(rule), environment),
  );
  const given = {
    command: shellLineOf(command) ?? [...command],
    nodes: whole(flags.nodes),
    tasks: whole(flags.ntasks),
    coresPerTask: whole(flags['cores-per-task']),
    gpusPerTask: whole(flags['gpus-per-task']),
    duration: typeof flags['time-limit'] === 'string' ? secondsOf(flags['time-limit']) : undefined,
    exclusive: flags.exclusive,
    name: flags.name,
    cwd: flags.cwd,
    queue: flags.queue,
    dependencies: flags.dependency,
    ...(variables.length > 0 && { environment: Object.fromEntries(variables) }),
    urgency,
  };
  return check(
    simpleJob,
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  );
}

const usage = (why: string): PodError =>
  new PodError(ExitCode.usage, `Cannot submit: ${why}`, {
    hint: '`flux-pod submit -n4 -- hostname`; `flux-pod submit --help` explains the flags.',
  });

/** Anything but a number is left to the schema, whose error names what it expects. */
const whole = (flag: Flags[string]): unknown =>
  typeof flag === 'string' && /^\d{1,9}$/.test(flag) ? Number(flag) : flag;

/** flux-submit(1): a bare number is minutes. Flux's jobspec, and so the API, has seconds (RFC 14, RFC 23). */
function secondsOf(limit: string): number {
  const isBare = /^(\d+\.?\d*|\.\d+)$/.test(limit);
  const seconds = parseDuration(isBare ? `${limit}m` : limit);
  // In Flux 0 is no limit.
  if (seconds !== undefined) return Number.isFinite(seconds) ? seconds : 0;
  throw usage(`--time-limit: expected 90 (minutes), 90s, 10m or 1.5h, not "${limit}"`);
}

/** flux-submit(1), ENV RULES: NAME=VALUE, or the NAME of a variable to take along. */
function variableOf(rule: string, environment: NodeJS.ProcessEnv): [name: string, value: string] {
  const at = rule.indexOf('=');
  if (at > 0) return [rule.slice(0, at), rule.slice(at + 1)];
  const value = at < 0 ? environment[rule] : undefined;
  if (value !== undefined) return [rule, value];
  throw usage(
    at === 0
      ? `--env: expected NAME=VALUE, not "${rule}"`
      : `--env: there is no variable ${rule} here to take along; expected NAME=VALUE`,
  );
}

function check<Schema extends z.ZodMiniType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = z.safeParse(schema, value);
  if (result.success) return result.data;
  throw usage(sentenceOf({ detail: '', errors: faultsOf(result.error) }));
}

function readJobspec(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8'));
  } catch (error) {
    throw usage(`--jobspec: ${file} cannot be read as a jobspec (${messageOf(error)})`);
  }
}
