/** Schemas of jobs and nodes for the API and the command line: requests are checked by them, types inferred from them. */
import * as z from 'zod/mini';
import { parseDuration } from '../duration.ts';
import { parseJobId } from '../flux/job-id.ts';
import { jobResults, jobStates } from '../flux/services/job-list.ts';
import { count, described, optional, text } from './json-kinds.ts';

export const jobIdText = described(
  z.string().check(z.refine((value) => parseJobId(value) !== undefined, 'expected a job id (RFC 19)')),
  'a job id: F58, decimal or hexadecimal (RFC 19)',
);

export const urgency = described(count(0, 31), '0 holds the job, 16 is the default, 31 is the most urgent');
const aDuration = { error: 'expected seconds, or a time such as 90s, 10m or 1.5h' };
const duration = z
  .union(
    [
      z.number().check(z.minimum(0, aDuration)),
      z.string().check(z.refine((value) => parseDuration(value) !== undefined, aDuration)),
    ],
    aDuration,
  )
  .check(z.describe('seconds, or an RFC 23 duration such as 90s or 1.5h; 0 for no limit'));

const environment = z.record(
  z.string().check(z.regex(/^[^=\0]+$/, { error: 'expected the name of a variable' })),
  z
    .string({ error: 'expected text' })
    .check(z.refine((value) => !value.includes('\0'), { error: 'expected text without NUL' })),
);

const aDependency = { error: 'expected SCHEME:VALUE, such as afterok:f2qx7SvB' };
const dependency = z.union(
  [
    z.strictObject({ scheme: text(64), value: text(1024) }),
    z.string().check(z.regex(/^[\w-]+:.+$/, aDependency)),
  ],
  aDependency,
);

/** A job in simple terms; jobspec.ts makes a jobspec of it. */
export const simpleJob = z.strictObject({
  command: described(
    z.union([z.array(text(131_072)).check(z.minLength(1), z.maxLength(4096)), text(131_072)]),
    'the program and its arguments; a text is a command line for sh',
  ),
  name: optional(text(255), 'shown in lists; the program’s name unless given'),
  nodes: optional(count(1), 'nodes to spread the tasks over'),
  tasks: optional(count(1), 'copies of the program that run; one, or one a node'),
  coresPerTask: optional(count(1), 'one unless given'),
  gpusPerTask: optional(count(0), 'none unless given'),
  exclusive: optional(z.boolean(), 'whole nodes; with `nodes` only'),
  duration: z.optional(duration),
  cwd: optional(text(4096), 'the working directory; that of the leader’s container unless given'),
  environment: optional(environment, 'added to the environment of the leader’s container'),
  dependencies: optional(
    z.array(dependency).check(z.maxLength(1000)),
    'RFC 26, such as `afterok:f2qx7SvB` or `{"scheme": "afterok", "value": "f2qx7SvB"}`',
  ),
  queue: optional(text(255), 'the queue, where the instance has several'),
  options: optional(
    z.record(z.string(), z.unknown()),
    'options of the job shell (attributes.system.shell.options)',
  ),
  urgency: z.optional(urgency),
});
export type SimpleJob = z.output<typeof simpleJob>;

export const jobspecSubmission = z.strictObject({
  jobspec: described(
    z.looseObject({ version: z.int(), resources: z.array(z.unknown()), tasks: z.array(z.unknown()) }),
    'a whole jobspec, RFC 14 and RFC 25, submitted unchanged',
  ),
  urgency: z.optional(urgency),
});

export const submission = z.union([simpleJob, jobspecSubmission]);

export const submitAnswer = z.object({ id: jobIdText, idDecimal: z.string() });
export type SubmitAnswer = z.output<typeof submitAnswer>;

/** The names of states and results in upper case, as in lists. */
export const upper = <Name extends string>(name: Name) => name.toUpperCase() as Uppercase<Name>;
const allUpper = <Name extends string>(names: object & { readonly [N in Name]: unknown }) =>
  (Object.keys(names) as Name[]).map((name) => upper(name)) as [Uppercase<Name>, ...Uppercase<Name>[]];
export const stateNames = allUpper(jobStates);
export const resultNames = allUpper(jobResults);
/** Filters of lists, as in `flux jobs --filter`: states, groups of them (RFC 21), and results, which only inactive jobs have. */
export const stateFilters = [...stateNames, 'PENDING', 'RUNNING', 'ACTIVE', ...resultNames] as const;

const time = z.optional(z.number());
export const jobAnswer = z.object({
  id: described(z.string(), 'F58'),
  idDecimal: z.string(),
  state: z.optional(described(z.enum(stateNames), 'RFC 21')),
  result: z.optional(z.enum(resultNames)),
  name: z.optional(z.string()),
  userid: z.optional(z.int()),
  urgency: z.optional(z.int()),
  priority: z.optional(z.number()),
  queue: z.optional(z.string()),
  cwd: z.optional(z.string()),
  ntasks: z.optional(z.int()),
  ncores: z.optional(z.int()),
  nnodes: z.optional(z.int()),
  ranks: optional(z.string(), 'an RFC 22 idset'),
  nodelist: optional(z.string(), 'an RFC 29 hostlist'),
  duration: optional(z.number(), 'the time limit in seconds, 0 for none'),
  expiration: time,
  t_submit: optional(z.number(), 'seconds since 1970, as all times'),
  t_depend: time,
  t_priority: time,
  t_sched: time,
  t_run: time,
  t_cleanup: time,
  t_inactive: time,
  runtime: optional(z.number(), 'seconds that it has run until now or until its end'),
  success: z.optional(z.boolean()),
  waitstatus: optional(z.int(), 'of waitpid(2)'),
  returncode: optional(z.int(), 'the exit code, or 128 and the signal’s number'),
  exception: z.optional(
    z.object({ type: z.optional(z.string()), severity: z.optional(z.int()), note: z.optional(z.string()) }),
  ),
  dependencies: z.optional(z.array(z.string())),
  annotations: z.optional(z.record(z.string(), z.unknown())),
  unfit: optional(
    z.string(),
    'why a pending job can never run, however many nodes are online; in the answer about one job',
  ),
});
export type JobAnswer = z.output<typeof jobAnswer>;

export const nodeAnswer = z.object({
  rank: z.int(),
  host: z.string(),
  state: described(
    z.enum(['online', 'offline', 'drained', 'draining', 'excluded', 'torpid']),
    'the most important one',
  ),
  busy: described(z.boolean(), 'some of its cores are allocated'),
  cores: z.int(),
  coresAllocated: z.int(),
  gpus: z.int(),
  parent: optional(z.int(), 'rank of its TBON parent'),
  subtree: optional(z.string(), 'health of the broker and its descendants in the overlay'),
  reason: optional(z.string(), 'why it is drained'),
  since: optional(z.number(), 'drained since'),
});
export type NodeAnswer = z.output<typeof nodeAnswer>;
