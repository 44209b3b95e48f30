/** The tree-based overlay network, seen from one broker down (flux-core src/modules/overlay/overlay.c, overlay.health). */
import * as z from 'zod/mini';
import type { CallOptions, RpcOptions } from '../channel.ts';
import { type FluxClient, readAnswer } from './answer.ts';

export const subtreeStatuses = ['unknown', 'full', 'partial', 'degraded', 'lost', 'offline'] as const;

const subtree = z.object({
  rank: z.int(),
  /** Of the broker and its descendants: `partial` where some have never joined, `degraded` where some are lost. */
  status: z.enum(subtreeStatuses),
  /** Seconds in this status. */
  duration: z.number(),
  /** Why a child is not online, where the overlay has a reason. */
  error: z.optional(z.string()),
});
export type Subtree = z.output<typeof subtree>;

const healthAnswer = z.extend(subtree, { children: z.array(subtree) });
export type OverlayHealth = z.output<typeof healthAnswer>;

/** Whether the root of the subtree is online. */
export const isJoined = ({ status }: Pick<Subtree, 'status'>): boolean =>
  status === 'full' || status === 'partial' || status === 'degraded';

const topic = 'overlay.health';

/** The health of the subtree of a broker (`nodeid`, else this one) and of each of its children. */
export async function getHealth(client: FluxClient, options?: RpcOptions): Promise<OverlayHealth> {
  return readAnswer(healthAnswer, topic, await client.rpc(topic, {}, options));
}

/** The same now and whenever it changes. */
export async function* watchHealth(
  client: FluxClient,
  options?: CallOptions,
): AsyncGenerator<OverlayHealth, void> {
  for await (const answer of client.stream(topic, {}, options)) yield readAnswer(healthAnswer, topic, answer);
}
