/** What goes in and what comes out, once: requests are checked by it, types are inferred from it, OpenAPI is generated from it. */
import * as z from 'zod/mini';
import { parseDuration } from '../config/kinds.ts';
import { parseJobId } from '../flux/job-id.ts';
import { jobResults, jobStates } from '../flux/services/job-list.ts';

const said = <Schema extends z.ZodMiniType>(schema: Schema, what: string): Schema =>
  schema.check(z.describe(what)) as Schema;
const optional = <Schema extends z.ZodMiniType>(schema: Schema, what: string) =>
  said(z.optional(schema), what);
const mostCount = 1_048_576;
const wholeNumber = (least: number, most: number): string =>
  `expected a whole number from ${least}${most === mostCount ? '' : ` to ${most}`}`;
const count = (least: number, most = mostCount) => {
  const error = wholeNumber(least, most);
  return z.int({ error }).check(z.minimum(least, { error }), z.maximum(most, { error }));
};
const text = (most: number) => {
  const error = `expected text of 1 to ${most} characters`;
  return z.string({ error }).check(z.minLength(1, { error }), z.maxLength(most, { error }));
};
/** Query parameters are text. */
const number = (least: number, most: number) => {
  const digits = z.string().check(z.regex(/^\d{1,9}$/, { error: wholeNumber(least, most) }));
  return z.pipe(digits, z.pipe(z.transform(Number), count(least, most)));
};
const flag = z.pipe(
  z.enum(['true', 'false', '1', '0', '']),
  z.transform((word) => ['true', '1'].includes(word)),
);

export const jobIdText = said(
  z.string().check(z.refine((value) => parseJobId(value) !== undefined, 'expected a job id (RFC 19)')),
  'a job id: F58, decimal or hexadecimal (RFC 19)',
);

export const urgency = said(count(0, 31), '0 holds the job, 16 is the default, 31 is the most urgent');
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

/** A job in simple terms; see jobspec.ts for what becomes of it. */
export const simpleJob = z.strictObject({
  command: said(
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
  jobspec: said(
    z.looseObject({ version: z.int(), resources: z.array(z.unknown()), tasks: z.array(z.unknown()) }),
    'a whole jobspec, RFC 14 and RFC 25, taken as it stands',
  ),
  urgency: z.optional(urgency),
});

export const submission = z.union([simpleJob, jobspecSubmission]);

export const submitAnswer = z.object({ id: jobIdText, idDecimal: z.string() });
export type SubmitAnswer = z.output<typeof submitAnswer>;

/** Characters that 10,000 numbers have at most: ten digits and a comma each. */
export const mostNumbers = 110_000;

export const copiesSubmission = z.strictObject({
  cc: said(
    text(mostNumbers),
    'an RFC 22 idset such as 1-1000: one job for each number, which it has in FLUX_JOB_CC and, in its command, in the place of {cc}',
  ),
  job: simpleJob,
});
export const copiesAnswer = z.object({ ids: z.array(jobIdText) });
export type CopiesAnswer = z.output<typeof copiesAnswer>;

type Upper<Names> = Names extends string ? Uppercase<Names> : never;
const upper = <Name extends string>(names: readonly Name[]) =>
  names.map((name) => name.toUpperCase()) as [Upper<Name>, ...Upper<Name>[]];
export const stateNames = upper(Object.keys(jobStates) as (keyof typeof jobStates)[]);
export const resultNames = upper(Object.keys(jobResults) as (keyof typeof jobResults)[]);
/** By what lists are filtered, as `flux jobs --filter`: states, groups of them (RFC 21), and results, which only inactive jobs have. */
export const stateFilters = [...stateNames, 'PENDING', 'RUNNING', 'ACTIVE', ...resultNames] as const;

const time = z.optional(z.number());
export const jobAnswer = z.object({
  id: said(z.string(), 'F58'),
  idDecimal: z.string(),
  state: z.optional(said(z.enum(stateNames), 'RFC 21')),
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
  waitstatus: optional(z.int(), 'as waitpid(2) says it'),
  returncode: optional(z.int(), 'the exit code, or 128 and the signal’s number'),
  exception: z.optional(
    z.object({ type: z.optional(z.string()), severity: z.optional(z.int()), note: z.optional(z.string()) }),
  ),
  dependencies: z.optional(z.array(z.string())),
  annotations: z.optional(z.record(z.string(), z.unknown())),
});
export type JobAnswer = z.output<typeof jobAnswer>;

const oneOrMany = <const Names extends readonly [string, ...string[]]>(names: Names) =>
  z.pipe(
    z.pipe(
      z.string(),
      z.transform((words) => words.toUpperCase().split(',')),
    ),
    z.array(z.enum(names)),
  );

/** Filters of lists; text as it stands in the query. */
export const jobsQuery = z.strictObject({
  limit: optional(number(1, 1000), '100 unless given'),
  cursor: optional(text(200), '`next` of the page before'),
  state: optional(oneOrMany(stateFilters), 'states or results, separated by commas'),
  result: optional(oneOrMany(resultNames), 'results, separated by commas'),
  queue: z.optional(text(255)),
  name: optional(text(255), 'exactly this name'),
  host: optional(text(4096), 'ran on one of these hosts (RFC 29)'),
  search: optional(
    text(255),
    'in the id, name, queue or hosts; looks through a limited number of jobs a page',
  ),
  // flux-restful-api's own, and what its client says.
  details: z.optional(flag),
  detail: z.optional(flag),
  listing: z.optional(flag),
});

export const jobsAnswer = z.object({
  jobs: said(
    z.array(jobAnswer),
    'pending ones by priority, then running ones, then inactive ones, the latest first',
  ),
  next: optional(z.string(), 'the cursor of the next page; absent on the last'),
});

export const eventlogAnswer = z.object({
  events: z.array(
    z.object({
      timestamp: z.number(),
      name: z.string(),
      context: z.optional(z.record(z.string(), z.unknown())),
    }),
  ),
});

export const outputQuery = z.strictObject({
  stream: optional(z.enum(['stdout', 'stderr']), 'both unless given'),
  format: optional(z.enum(['json', 'text']), 'json unless given, or by the Accept header'),
});

export const outputAnswer = z.object({
  Output: said(z.array(z.string()), 'pieces of output in their order; what is no UTF-8 is replaced'),
  complete: said(z.boolean(), 'nothing more will come'),
  Message: z.optional(z.string()),
});

const aSignal = { error: 'expected a name such as SIGTERM, or a number from 1 to 64' };
export const signalBody = z.strictObject({
  signal: said(
    z.union([count(1, 64), z.string().check(z.regex(/^(SIG)?[A-Z0-9]+$/, aSignal))], aSignal),
    'a name or a number',
  ),
});
export const cancelBody = z.strictObject({ note: z.optional(text(1024)) });
export const urgencyBody = z.strictObject({ urgency });
export const messageAnswer = z.object({ Message: z.string(), id: z.optional(z.string()) });

export const nodeAnswer = z.object({
  rank: z.int(),
  host: z.string(),
  state: said(
    z.enum(['online', 'offline', 'drained', 'draining', 'excluded', 'torpid']),
    'what matters most of it',
  ),
  busy: said(z.boolean(), 'some of its cores are allocated'),
  cores: z.int(),
  coresAllocated: z.int(),
  gpus: z.int(),
  parent: optional(z.int(), 'its rank in the tree of brokers'),
  subtree: optional(z.string(), 'health of the broker and all below it, as the overlay sees it'),
  reason: optional(z.string(), 'why it is drained'),
  since: optional(z.number(), 'drained since'),
});
export type NodeAnswer = z.output<typeof nodeAnswer>;
export const nodesAnswer = z.object({
  nodes: said(z.array(z.string()), 'hosts that are up'),
  details: z.array(nodeAnswer),
});
const targets = said(text(65_536), 'an RFC 22 idset of ranks, or an RFC 29 hostlist');
export const drainBody = z.strictObject({
  targets,
  reason: z._default(text(1024), 'drained through the API'),
});
export const undrainBody = z.strictObject({ targets });

const counts = z.object({ nodes: z.int(), cores: z.int(), gpus: z.int() });
export const resourcesAnswer = z.object({ all: counts, up: counts, allocated: counts, free: counts });

export const queueAnswer = z.object({
  queues: z.array(
    z.object({
      name: optional(z.string(), 'absent where there is only one'),
      enabled: said(z.boolean(), 'takes jobs'),
      started: said(z.boolean(), 'starts jobs'),
      reason: z.optional(z.string()),
    }),
  ),
  states: z.record(z.string(), z.int()),
  results: z.record(z.string(), z.int()),
});

export const healthAnswer = z.object({
  cluster: z.string(),
  state: said(z.string(), 'of the broker'),
  size: z.int(),
  online: z.int(),
  overlay: said(z.string(), 'full, partial, degraded or lost'),
  flux: z.optional(z.string()),
  version: said(z.string(), 'of flux-pod'),
});

export const sessionBody = z.strictObject({ token: text(4096) });
export const sessionAnswer = z.object({
  role: z.enum(['read', 'write']),
  cluster: z.string(),
  version: z.string(),
  signedIn: said(z.boolean(), 'false where no token is needed'),
});
export const tokenAnswer = z.object({ access_token: z.string(), token_type: z.literal('Bearer') });

export const shutdownBody = z.strictObject({
  confirm: said(text(255), 'the name of the MiniCluster, to show that it is meant'),
});

/** flux-restful-api's: from the query or from a JSON body, whichever its client finds fit. */
export const compatibleSubmit = z.looseObject({
  command: z.optional(z.union([z.string(), z.array(z.union([z.string(), z.number()]))])),
});
export const searchQuery = z.looseObject({
  start: z.optional(number(0, 1_000_000)),
  length: z.optional(number(0, 1_000_000)),
  draw: z.optional(z.string()),
});
export const searchAnswer = z.object({
  data: z.array(jobAnswer),
  draw: z.union([z.string(), z.int()]),
  recordsTotal: z.int(),
  recordsFiltered: z.int(),
});
