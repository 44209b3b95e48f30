/** Resources of the instance (flux-core src/modules/resource). */
import * as z from 'zod/mini';
import type { RpcOptions } from '../channel.ts';
import { type FluxClient, idset, readAnswer } from './answer.ts';

/** RFC 20, version 1: of R_lite only the cores and GPUs. */
const resourceSet = z.object({
  execution: z.object({
    R_lite: z.array(
      z.object({ rank: idset, children: z.object({ core: z.optional(idset), gpu: z.optional(idset) }) }),
    ),
    nodelist: z._default(z.array(z.string()), []),
  }),
});
export type ResourceSet = z.output<typeof resourceSet>;

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

/** The scheduler's resources: all, down, and allocated to jobs. */
export async function getScheduledResources(
  client: FluxClient,
  options?: RpcOptions,
): Promise<z.output<typeof scheduledAnswer>> {
  const topic = 'resource.sched-status';
  return readAnswer(scheduledAnswer, topic, await client.rpc(topic, {}, { ...options, nodeid: 0 }));
}

/** Takes nodes (an idset of ranks, or a hostlist) out of scheduling; jobs that run there go on. */
export async function drain(
  client: FluxClient,
  targets: string,
  reason: string,
  options?: RpcOptions,
): Promise<void> {
  await client.rpc('resource.drain', { targets, reason, mode: 'update' }, { ...options, nodeid: 0 });
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
