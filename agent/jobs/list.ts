/**
 * Jobs for the API and the command line, and lists of them in pages. The cost of a page for the job-list service depends on its length and not
 * on the number of jobs: the cursor is the place of the next page (RFC 43 for constraints and the order of lists).
 */

import { whyNever } from '../demand/why-never.ts';
import type { CallOptions } from '../flux/channel.ts';
import type { FluxClient } from '../flux/client.ts';
import { Errno, FluxError } from '../flux/errors.ts';
import { formatJobId, type JobId, parseJobId } from '../flux/job-id.ts';
import type { Json, JsonObject } from '../flux/payload.ts';
import { getJob, type Job, listJobs } from '../flux/services/job-list.ts';
import { JobError } from './job-error.ts';
import { type JobAnswer, resultNames, upper } from './job-schemas.ts';

/** `now` is in an object, so that `map` cannot pass its index for it. */
export function jobAnswerOf(job: Job, { now }: { readonly now: number } = { now: Date.now() }): JobAnswer {
  const {
    id,
    state,
    result,
    exception_occurred,
    exception_type,
    exception_severity,
    exception_note,
    ...rest
  } = job;
  const ended = job.t_cleanup ?? job.t_inactive ?? now / 1000;
  const returncode = job.waitstatus === undefined ? undefined : exitCodeOf(job.waitstatus);
  // Each is left out by itself: a filter over all 25 members was a third of the agent's work for a page.
  return {
    ...rest,
    id: formatJobId(id),
    idDecimal: String(id),
    ...(state && { state: upper(state) }),
    ...(result && { result: upper(result) }),
    ...(job.t_run !== undefined && { runtime: Math.max(0, ended - job.t_run) }),
    ...(returncode !== undefined && { returncode }),
    ...(exception_occurred && {
      exception: withoutUndefined({
        type: exception_type,
        severity: exception_severity,
        note: exception_note,
      }),
    }),
  };
}

/** That of a shell. */
const exitCodeOf = (waitstatus: number): number =>
  (waitstatus & 0x7f) === 0 ? (waitstatus >> 8) & 0xff : 128 + (waitstatus & 0x7f);

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> } & {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K];
};
const withoutUndefined = <T extends object>(object: T): Defined<T> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;

/** One job. Throws a JobError (not-found) where there is none. */
export const readJob = async (client: FluxClient, id: JobId): Promise<JobAnswer> =>
  jobAnswerOf(await ofJob(id, getJob(client, id)));

/** The same, with the reason why it can never run where that is so. */
export async function explainJob(client: FluxClient, id: JobId): Promise<JobAnswer> {
  const job = await readJob(client, id);
  const isPending = job.state !== undefined && wider.PENDING?.includes(job.state);
  const unfit = isPending ? await whyNever(client, id) : undefined;
  return { ...job, ...(unfit !== undefined && { unfit }) };
}

/** The same by a text. Throws a JobError (not-found) where the text is no job id. */
export const findJob = async (client: FluxClient, text: string): Promise<JobAnswer> =>
  readJob(client, idOf(text));

/** The id in a text. Throws a JobError (not-found) where it is none: no job has it. */
export function idOf(text: string): bigint {
  const id = parseJobId(text);
  if (id !== undefined) return id;
  const written = text.slice(0, 80).replace(/[^\w.-]/g, '?');
  throw new JobError('not-found', `There is no job ${written}: expected an id such as f2qx7SvB.`);
}

/** The result of a request about a job. Throws a JobError (not-found) where Flux has no such job. */
export async function ofJob<T>(id: bigint, request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (error) {
    if (!(error instanceof FluxError) || error.errnum !== Errno.noEntry) throw error;
    // The job manager has one number for both (flux-core src/modules/job-manager/raise.c).
    if (/inactive/.test(error.message)) throw new JobError('invalid', `Job ${formatJobId(id)} has ended.`);
    throw noSuchJob(id);
  }
}

export const noSuchJob = (id: bigint): JobError =>
  new JobError('not-found', `There is no job ${formatJobId(id)}.`);

export interface JobsRequest {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
  readonly state?: readonly string[] | undefined;
  readonly result?: readonly string[] | undefined;
  readonly queue?: string | undefined;
  readonly name?: string | undefined;
  readonly host?: string | undefined;
  readonly search?: string | undefined;
}

/** A list has three sections, each with its own order; `by` is the time by which a later page is found. */
const sections = [
  { name: 'p', states: ['DEPEND', 'PRIORITY', 'SCHED'], by: undefined },
  { name: 'r', states: ['RUN', 'CLEANUP'], by: 't_run' },
  { name: 'i', states: ['INACTIVE'], by: 't_inactive' },
] as const;
type Section = (typeof sections)[number];

const wider: Readonly<Record<string, readonly string[]>> = {
  PENDING: ['DEPEND', 'PRIORITY', 'SCHED'],
  RUNNING: ['RUN', 'CLEANUP'],
  ACTIVE: ['DEPEND', 'PRIORITY', 'SCHED', 'RUN', 'CLEANUP'],
};

/** A place in a list: the section, the time, and how many jobs of exactly that time are on earlier pages. */
interface Place {
  readonly section: number;
  readonly from?: number;
  readonly skip: number;
}

/**
 * The signal ends it: a response that comes later is not decoded, and nothing more is asked. (The job-list service answers a request in one
 * go, so there is nothing to cancel in the broker: flux-core src/modules/job-list/list.c.)
 */
export async function listPage(
  client: FluxClient,
  request: JobsRequest,
  options: CallOptions = {},
): Promise<{ jobs: JobAnswer[]; next?: string }> {
  const { limit = 100, search } = request;
  const found: JobAnswer[] = [];
  const budget = { left: search === undefined ? Number.POSITIVE_INFINITY : mostRead };
  let place: Place | undefined = readCursor(request.cursor);
  const wanted = search === undefined ? () => true : matcher(search);
  // An id is looked up, wherever it stands in the list.
  if (search !== undefined && request.cursor === undefined) {
    const job = await findById(client, search, options);
    if (job) return { jobs: [job] };
  }
  while (place && found.length < limit && budget.left > 0) {
    const here: Place = place;
    const most = limit - found.length;
    const { jobs, next, whole } = await readSection(
      client,
      request,
      here,
      search === undefined ? most : budget.left,
      options,
    );
    place = next;
    budget.left -= jobs.length;
    const places = jobs.flatMap((job, at) => (wanted(job) ? [at] : [])).slice(0, most);
    const last = places.at(-1) ?? 0;
    if (places.length === most && last < jobs.length - 1)
      place = placeAfter(jobs.slice(0, last + 1), here, next);
    const picked = places.flatMap((at) => jobs[at] ?? []);
    found.push(...(whole ? picked : await readAgain(client, picked, options)).map((job) => jobAnswerOf(job)));
  }
  return { jobs: eachOnce(found), ...(place && { next: formatCursor(place) }) };
}

/** A job that starts or ends between the requests for two sections is found in both: its later state counts. */
function eachOnce(jobs: readonly JobAnswer[]): JobAnswer[] {
  const last = new Map(jobs.map(({ id }, at) => [id, at]));
  return jobs.filter(({ id }, at) => last.get(id) === at);
}

/** Jobs that a search reads for one page, and in one request to Flux. */
const mostRead = 20_000;
const readAtOnce = 2000;

async function findById(
  client: FluxClient,
  text: string,
  options: CallOptions,
): Promise<JobAnswer | undefined> {
  // Small numbers are more likely a part of a name.
  if (!/^([fƒ]\w{4,}|\d{8,}|0x[\da-f]{6,})$/i.test(text)) return undefined;
  const id = parseJobId(text);
  if (id === undefined) return undefined;
  return getJob(client, id, options).then(
    (job) => jobAnswerOf(job),
    () => undefined,
  );
}

/** Reads from a place in one section; `next` is the place after it. Jobs that are not `whole` lack attributes. */
async function readSection(
  client: FluxClient,
  request: JobsRequest,
  place: Place,
  most: number,
  options: CallOptions,
): Promise<{ jobs: Job[]; next: Place | undefined; whole: boolean }> {
  const section = sections[place.section];
  if (!section) return { jobs: [], next: undefined, whole: true };
  const after = { section: place.section + 1, skip: 0 };
  const nextSection = after.section < sections.length ? after : undefined;
  const constraint = constraintOf(request, section, place.from);
  if (!constraint) return { jobs: [], next: nextSection, whole: true };
  const attributes = attributesOf(request, section, place);
  // The queue can only be read from its beginning: a search reads all of it at once.
  const atOnce = request.search !== undefined && section.by === undefined ? most : Math.min(most, readAtOnce);
  const maxEntries = place.skip + atOnce;
  const query = { maxEntries, constraint, ...(attributes && { attributes }) };
  const listed = await listJobs(client, query, options);
  const jobs = listed.slice(place.skip);
  const next = listed.length < maxEntries ? nextSection : placeAfter(jobs, place, nextSection);
  return { jobs, next, whole: attributes === undefined };
}

/**
 * The attributes to read, all unless given: a search reads those that it compares, and the time by which it goes on. Deep in the queue only
 * ids are read, since the jobs before the place are dropped.
 */
function attributesOf(
  { search }: JobsRequest,
  { by }: Section,
  { skip }: Place,
): readonly string[] | undefined {
  if (search !== undefined) return by === undefined ? matched : [...matched, by];
  return by === undefined && skip > readAtOnce ? ['t_submit'] : undefined;
}

const readAgain = async (client: FluxClient, jobs: readonly Job[], options: CallOptions): Promise<Job[]> => {
  const read = await Promise.all(jobs.map(({ id }) => getJob(client, id, options).catch(() => undefined)));
  options.signal?.throwIfAborted();
  return read.filter((job) => job !== undefined);
};

/** The place behind `jobs`, which stand behind `place`. */
function placeAfter(jobs: readonly Job[], place: Place, otherwise: Place | undefined): Place | undefined {
  const by = sections[place.section]?.by;
  if (by === undefined) return { section: place.section, skip: place.skip + jobs.length };
  const from = jobs.at(-1)?.[by];
  if (from === undefined) return otherwise;
  const same = jobs.filter((job) => job[by] === from).length;
  return { section: place.section, from, skip: same + (place.from === from ? place.skip : 0) };
}

function constraintOf(request: JobsRequest, { states, by }: Section, from?: number): JsonObject | undefined {
  const asked = request.state?.flatMap((state) => wider[state] ?? [state]);
  // Only inactive jobs have a result.
  const isEnded = by === 't_inactive';
  const results = isEnded ? resultNames.filter((name) => asked?.includes(name)) : [];
  const chosen = states.filter((state) => asked?.includes(state) ?? true);
  const { result } = request;
  if ((chosen.length === 0 && results.length === 0) || (result && !isEnded)) return undefined;
  const lower = (names: readonly string[]) => names.map((name) => name.toLowerCase());
  const all: JsonObject[] = [chosen.length > 0 ? { states: lower(chosen) } : { results: lower(results) }];
  const add = (operator: string, values: readonly Json[]) => all.push({ [operator]: values });
  if (result) add('results', lower(result));
  if (request.queue !== undefined) add('queue', [request.queue]);
  if (request.name !== undefined) add('name', [request.name]);
  if (request.host !== undefined) add('hostlist', [request.host]);
  if (by !== undefined && from !== undefined) add(by, [`<=${from}`]);
  return { and: all };
}

/** The attributes that a search compares, beside the id. */
const matched = ['name', 'queue', 'nodelist'];

function matcher(search: string): (job: Job) => boolean {
  const wanted = search.toLowerCase();
  return ({ id, name, queue, nodelist }) =>
    [formatJobId(id), name, queue, nodelist].some((text) => text?.toLowerCase().includes(wanted));
}

const formatCursor = ({ section, from = 0, skip }: Place): string =>
  `${sections[section]?.name}_${from}_${skip}`;

function readCursor(cursor: string | undefined): Place {
  if (cursor === undefined) return { section: 0, skip: 0 };
  const [, name, from, skip] = /^([pri])_(\d{1,12}(?:\.\d{1,9})?)_(\d{1,7})$/.exec(cursor) ?? [];
  const section = sections.findIndex((candidate) => candidate.name === name);
  if (section < 0) throw new JobError('bad-cursor', 'The cursor is not one of this API.');
  return { section, ...(Number(from) > 0 && { from: Number(from) }), skip: Number(skip) };
}
