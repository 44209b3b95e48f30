/** Schemas of requests and answers: requests are checked by them, types inferred from them, OpenAPI generated from them. */
import * as z from 'zod/mini';
import {
  jobAnswer,
  jobIdText,
  nodeAnswer,
  resultNames,
  simpleJob,
  stateFilters,
  urgency,
} from '../../jobs/job-schemas.ts';
import { count, described, number, optional, text } from '../../jobs/json-kinds.ts';

const flag = z.pipe(
  z.enum(['true', 'false', '1', '0', '']),
  z.transform((word) => ['true', '1'].includes(word)),
);

/** Characters of an idset of 10,000 numbers at most: ten digits and a comma each. */
export const longestIdset = 110_000;

export const copiesSubmission = z.strictObject({
  cc: described(
    text(longestIdset),
    'an RFC 22 idset such as 1-1000: one job for each number, which it has in FLUX_JOB_CC and, in its command, in the place of {cc}',
  ),
  job: simpleJob,
});
export const copiesAnswer = z.object({ ids: z.array(jobIdText) });

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
  // flux-restful-api's own, and what its client sends.
  details: z.optional(flag),
  detail: z.optional(flag),
  listing: z.optional(flag),
});

export const jobsAnswer = z.object({
  jobs: described(
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
  Output: described(z.array(z.string()), 'pieces of output in their order; what is no UTF-8 is replaced'),
  complete: described(z.boolean(), 'no more output comes'),
  Message: z.optional(z.string()),
});

const aSignal = { error: 'expected a name such as SIGTERM, or a number from 1 to 64' };
export const signalBody = z.strictObject({
  signal: described(
    z.union([count(1, 64), z.string().check(z.regex(/^(SIG)?[A-Z0-9]+$/, aSignal))], aSignal),
    'a name or a number',
  ),
});
export const cancelBody = z.strictObject({ note: z.optional(text(1024)) });
export const urgencyBody = z.strictObject({ urgency });
export const messageAnswer = z.object({ Message: z.string(), id: z.optional(z.string()) });

export const nodesAnswer = z.object({
  nodes: described(z.array(z.string()), 'hosts that are up'),
  details: z.array(nodeAnswer),
});
const targets = described(text(65_536), 'an RFC 22 idset of ranks, or an RFC 29 hostlist');
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
      enabled: described(z.boolean(), 'takes jobs'),
      started: described(z.boolean(), 'starts jobs'),
      reason: z.optional(z.string()),
    }),
  ),
  states: z.record(z.string(), z.int()),
  results: z.record(z.string(), z.int()),
});

export const healthAnswer = z.object({
  cluster: z.string(),
  state: described(z.string(), 'of the broker'),
  size: z.int(),
  online: z.int(),
  overlay: described(z.string(), 'full, partial, degraded or lost'),
  flux: z.optional(z.string()),
  version: described(z.string(), 'of flux-pod'),
});

export const sessionBody = z.strictObject({ token: text(4096) });
export const sessionAnswer = z.object({
  role: z.enum(['read', 'write']),
  cluster: z.string(),
  version: z.string(),
  signedIn: described(z.boolean(), 'false where no token is needed'),
});
export const tokenAnswer = z.object({ access_token: z.string(), token_type: z.literal('Bearer') });

export const shutdownBody = z.strictObject({
  confirm: described(text(255), 'the name of the MiniCluster, to show that it is meant'),
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
