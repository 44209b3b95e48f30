/** Resources of the instance (flux-core src/modules/resource). */
import * as z from 'zod/mini';
import { parseIdset } from '../../cluster/idset.ts';
import type { CallOptions, RpcOptions } from '../channel.ts';
import { type FluxClient, idset, readAnswer } from './answer.ts';

/** RFC 20, version 1: only the cores and GPUs. */
const resourceList = z.array(
  z.object({ rank: idset, children: z.object({ core: z.optional(idset), gpu: z.optional(idset) }) }),
);
const resourceSet = z.object({
  execution: z.object({
    R_lite: resourceList,
    nodelist: z._default(z.array(z.string()), []),
    properties: z.optional(z.record(z.string(), idset)),
  }),
});
export type ResourceSet = z.output<typeof resourceSet>;

/** The R of a job: also the time at which its time limit ends it, in seconds since 1970; 0 for no limit. */
const allocation = z.object({
  execution: z.object({ R_lite: resourceList, expiration: z._default(z.number(), 0) }),
});
export type Allocation = z.output<typeof allocation>['execution'];

/** Throws a FluxError (EPROTO) where it is no R. */
export const readAllocation = (R: unknown): Allocation => readAnswer(allocation, 'R', R).execution;

const drained = z.object({ timestamp: z.number(), reason: z.string() });

const statusAnswer = z.object({
  R: resourceSet,
  /** By idset: since when, and why. */
  drain: z.record(z.string(), drained),
  online: idset,
  offline: idset,
  exclude: idset,
  torpid: z._default(idset, []),
});
export type ResourceStatus = z.output<typeof statusAnswer>;

const scheduledAnswer = z.object({ all: resourceSet, down: resourceSet, allocated: resourceSet });

/** The nodes, and which are offline, drained, excluded or torpid. */
export async function getResourceStatus(client: FluxClient, options?: RpcOptions): Promise<ResourceStatus> {
  const topic = 'resource.status';
  return readAnswer(statusAnswer, topic, await client.rpc(topic, {}, { ...options, nodeid: 0 }));
}

/** The drained ranks, each with its reason, and since when (seconds since 1970). */
export const drainedRanks = ({
  drain,
}: Pick<ResourceStatus, 'drain'>): ({ rank: number } & z.output<typeof drained>)[] =>
  Object.entries(drain).flatMap(([ranks, why]) => parseIdset(ranks).map((rank) => ({ rank, ...why })));

const journalAnswer = z.object({ events: z.array(z.object({ name: z.string() })) });

/**
 * The names of the events of resources (RFC 44, such as `online` and `drain`), past ones first, as they happen: each says that the status is
 * another now. Only rank 0 answers (flux-core src/modules/resource/reslog.c).
 */
export async function* watchResourceEvents(
  client: FluxClient,
  options?: CallOptions,
): AsyncGenerator<string[], void> {
  const topic = 'resource.journal';
  const stream = client.stream(topic, {}, { ...options, nodeid: 0, cancelTopic: `${topic}-cancel` });
  for await (const answer of stream)
    yield readAnswer(journalAnswer, topic, answer).events.map(({ name }) => name);
}

/** The scheduler's resources: all, down, and allocated to jobs. */
export async function getScheduledResources(
  client: FluxClient,
  options?: RpcOptions,
): Promise<z.output<typeof scheduledAnswer>> {
  const topic = 'resource.sched-status';
  return readAnswer(scheduledAnswer, topic, await client.rpc(topic, {}, { ...options, nodeid: 0 }));
}

/**
 * The ranks on which the scheduler has allocated something, also to a job that it has not told the job manager of yet, until that is free
 * again: after the job's housekeeping. It is answered after what the scheduler was told before, as of nodes that were drained (RFC 27).
 */
export async function getAllocatedRanks(client: FluxClient, options?: RpcOptions): Promise<number[]> {
  const topic = 'sched.resource-status';
  const { allocated } = readAnswer(
    scheduledAnswer,
    topic,
    await client.rpc(topic, {}, { ...options, nodeid: 0 }),
  );
  return allocated.execution.R_lite.flatMap(({ rank }) => rank);
}

/**
 * Takes nodes (an idset of ranks, or a hostlist) out of scheduling; jobs that run there go on. A node that is drained already keeps its reason,
 * where it has one, unless the mode is `overwrite` (flux-core src/modules/resource/drain.c).
 */
export async function drain(
  client: FluxClient,
  targets: string,
  reason: string,
  { mode = 'update', ...options }: RpcOptions & { readonly mode?: 'update' | 'overwrite' } = {},
): Promise<void> {
  await client.rpc('resource.drain', { targets, reason, mode }, { ...options, nodeid: 0 });
}

export async function undrain(client: FluxClient, targets: string, options?: RpcOptions): Promise<void> {
  await client.rpc('resource.undrain', { targets }, { ...options, nodeid: 0 });
}

/** Nodes, cores and GPUs of a resource set. */
export function countResources({ execution }: ResourceSet): { nodes: number; cores: number; gpus: number } {
  const counts = { nodes: 0, cores: 0, gpus: 0 };
  for (const { rank, children } of execution.R_lite) {
    counts.nodes += rank.length;
    counts.cores += rank.length * (children.core?.length ?? 0);
    counts.gpus += rank.length * (children.gpu?.length ?? 0);
  }
  return counts;
}
