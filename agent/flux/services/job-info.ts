/** A job's records in the KVS, and its event logs as they grow (flux-core src/modules/job-info; RFC 18, RFC 21, RFC 24). */
import * as z from 'zod/mini';
import type { CallOptions, RpcOptions } from '../channel.ts';
import { Errno, FluxError } from '../errors.ts';
import type { JobId } from '../job-id.ts';
import { type FluxClient, readAnswer } from './answer.ts';

/** One entry of an event log (RFC 18). */
const eventlogEntry = z.object({
  /** Seconds since 1970. */
  timestamp: z.number(),
  name: z.string(),
  context: z.optional(z.record(z.string(), z.unknown())),
});
export type EventlogEntry = z.output<typeof eventlogEntry>;

/** flux-core src/common/libjob/job.h, FLUX_JOB_EVENT_WATCH_WAITCREATE. */
const waitForCreation = 1;

const watchAnswer = z.object({ event: z.string() });

export interface EventlogOptions extends CallOptions {
  /** Waits for a log that does not exist yet, such as those that a job's shell writes, until the job ends; else that is ENOENT. */
  readonly waits?: boolean;
}

/**
 * The entries of an event log, present and future, until it is complete. `path` is `eventlog` (the job's own, RFC
 * 21), `guest.exec.eventlog` or `guest.output` (RFC 24).
 */
export async function* watchEventlog(
  client: FluxClient,
  id: JobId,
  path: string,
  { waits = false, ...options }: EventlogOptions = {},
): AsyncGenerator<EventlogEntry, void> {
  const topic = 'job-info.eventlog-watch';
  const flags = waits ? waitForCreation : 0;
  const stream = client.stream(topic, { id, path, flags }, { ...options, cancelTopic: `${topic}-cancel` });
  for await (const answer of stream)
    yield* parseEventlog(readAnswer(watchAnswer, topic, answer).event, topic);
}

/** An event log's text, one JSON object a line (RFC 18). */
export function parseEventlog(text: string, topic = 'eventlog'): EventlogEntry[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => parseEntry(line, topic));
}

/** Throws a FluxError (EPROTO) where a line is no entry. */
export function parseEntry(line: string, topic: string): EventlogEntry {
  const entry = parseLine(line, topic);
  return isEntry(entry) ? entry : readAnswer(eventlogEntry, topic, entry);
}

/** The same test as the schema's: output has millions of entries, and the schema makes a quarter of the garbage of reading them. */
function isEntry(value: unknown): value is EventlogEntry {
  if (!isObject(value)) return false;
  const { timestamp, name, context } = value;
  return (
    typeof timestamp === 'number' && typeof name === 'string' && (context === undefined || isObject(context))
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parseLine(line: string, topic: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new FluxError(Errno.protocol, { topic, text: 'a line of an event log is not JSON', cause });
  }
}

/** job.h, FLUX_JOB_LOOKUP_CURRENT. */
const withUpdates = 2;

/** The jobspec with the updates of since (RFC 21, jobspec-update), as text. */
export async function lookupJobspec(client: FluxClient, id: JobId, options?: RpcOptions): Promise<string> {
  const topic = 'job-info.lookup';
  const answer = await client.rpc(topic, { id, keys: ['jobspec'], flags: withUpdates }, options);
  return readAnswer(z.object({ jobspec: z.string() }), topic, answer).jobspec;
}

/** Records of a job by their keys (`jobspec`, `R`, `eventlog`, ...), as text. */
export async function lookup<const Key extends string>(
  client: FluxClient,
  id: JobId,
  keys: readonly Key[],
  options?: CallOptions,
): Promise<Readonly<Record<Key, string>>> {
  const topic = 'job-info.lookup';
  const schema = z.object(Object.fromEntries(keys.map((key) => [key, z.string()])));
  const answer = readAnswer(schema, topic, await client.rpc(topic, { id, keys, flags: 0 }, options));
  return answer as Record<Key, string>;
}
