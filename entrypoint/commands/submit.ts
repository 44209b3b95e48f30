import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { jobspecSubmission, simpleJob } from '../../agent/api/schemas.ts';
import type { Submission } from '../../agent/api/submit.ts';
import { ExitCode, messageOf, PodError } from '../../agent/errors.ts';
import { printable } from '../../agent/printable.ts';
import { type Flag, type Flags, parseVerbArguments } from '../arguments.ts';
import { clientFlags, openJobs } from '../jobs-client.ts';
import { followJob } from './logs.ts';

/** Flags as `flux submit` has them. */
export const submitFlags = {
  ...clientFlags,
  nodes: { type: 'string', short: 'N', value: 'N', meaning: 'on so many nodes' },
  ntasks: { type: 'string', short: 'n', value: 'N', meaning: 'so many tasks (default: 1, or 1 a node)' },
  'cores-per-task': { type: 'string', short: 'c', value: 'N', meaning: 'so many cores for each task' },
  'gpus-per-task': { type: 'string', short: 'g', value: 'N', meaning: 'so many GPUs for each task' },
  'time-limit': {
    type: 'string',
    short: 't',
    value: 'TIME',
    meaning: 'the longest it may run: 90 (seconds), 30m, 2h',
  },
  exclusive: { type: 'boolean', short: 'x', meaning: 'whole nodes' },
  name: { type: 'string', value: 'NAME', meaning: 'what the job is called' },
  cwd: { type: 'string', value: 'DIR', meaning: 'its working directory' },
  env: {
    type: 'string',
    multiple: true,
    value: 'NAME=VALUE',
    meaning: 'for its environment; may be repeated',
  },
  dependency: {
    type: 'string',
    multiple: true,
    value: 'afterok:ID',
    meaning: 'starts only then; may be repeated',
  },
  queue: { type: 'string', short: 'q', value: 'NAME', meaning: 'the queue it waits in' },
  urgency: { type: 'string', value: 'N', meaning: '0 (held) to 31 (next); 16 is usual' },
  jobspec: {
    type: 'string',
    value: 'FILE',
    meaning: "a whole jobspec as JSON (RFC 14, 25), in COMMAND's place",
  },
  cc: {
    type: 'string',
    value: 'IDSET',
    meaning: 'one job for each number of 1-1000, say, which is FLUX_JOB_CC in it, and {cc} in COMMAND',
  },
  watch: { type: 'boolean', short: 'w', meaning: 'shows its output and ends as it does' },
} as const satisfies Record<string, Flag>;

/**
 * `flux-pod submit [FLAGS] -- COMMAND ARG...`, or `--jobspec FILE`: prints the job's id; with `--watch` also its output, and ends as
 * it does.
 */
export async function submit(args: readonly string[]): Promise<number> {
  const { flags, command } = parseVerbArguments('submit', args, submitFlags, 'COMMAND');
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
  return await followJob(jobs, id);
}

async function submitMany(flags: Flags, cc: string, submission: Submission): Promise<number> {
  if ('jobspec' in submission || flags.watch)
    throw usage('--cc goes neither with --jobspec nor with --watch');
  using jobs = await openJobs(flags, process.env);
  const ids = await jobs.submitCopies(cc, submission);
  process.stdout.write(ids.map((id) => `${printable(id)}\n`).join(''));
  return 0;
}

export function submissionOf(flags: Flags, command: readonly string[]): Submission {
  const urgency = whole(flags.urgency);
  if (typeof flags.jobspec === 'string') {
    const jobspec = readJobspec(flags.jobspec);
    return check(jobspecSubmission, { jobspec, ...(urgency !== undefined && { urgency }) });
  }
  if (command.length === 0) throw usage('COMMAND is missing: it stands behind `--`');
  const environment = (Array.isArray(flags.env) ? flags.env : []).map(String).map((pair) => {
    const at = pair.indexOf('=');
    return at < 0 ? [pair, process.env[pair] ?? ''] : [pair.slice(0, at), pair.slice(at + 1)];
  });
  const given = {
    command: [...command],
    nodes: whole(flags.nodes),
    tasks: whole(flags.ntasks),
    coresPerTask: whole(flags['cores-per-task']),
    gpusPerTask: whole(flags['gpus-per-task']),
    // RFC 23; `flux submit` takes a bare number for minutes, which is easily got wrong: here it is seconds.
    duration: flags['time-limit'],
    exclusive: flags.exclusive,
    name: flags.name,
    cwd: flags.cwd,
    queue: flags.queue,
    dependencies: flags.dependency,
    ...(environment.length > 0 && { environment: Object.fromEntries(environment) }),
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

const whole = (flag: Flags[string]): number | undefined => {
  if (flag === undefined) return undefined;
  if (typeof flag === 'string' && /^\d{1,9}$/.test(flag)) return Number(flag);
  throw usage(`"${String(flag)}" is no whole number`);
};

function check<Schema extends z.ZodMiniType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = z.safeParse(schema, value);
  if (result.success) return result.data;
  throw usage(
    result.error.issues.map(({ path, message }) => `${path.join('.') || 'the job'}: ${message}`).join('; '),
  );
}

function readJobspec(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8'));
  } catch (error) {
    throw usage(`${file} cannot be read as a jobspec (${messageOf(error)})`);
  }
}
