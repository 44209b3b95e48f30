/** Groups of brokers, such as those that are online (flux-core src/broker/groups.c). They are kept on rank 0. */
import * as z from 'zod/mini';
import type { CallOptions } from '../channel.ts';
import { type FluxClient, idset, readAnswer } from './answer.ts';

const groupAnswer = z.object({ members: idset });
const topic = 'groups.get';

/** The ranks that are in a group (`broker.online`, ...) now. */
export async function getGroup(client: FluxClient, name: string, options?: CallOptions): Promise<number[]> {
  const answer = await client.rpc(topic, { name }, { ...options, nodeid: 0 });
  return readAnswer(groupAnswer, topic, answer).members;
}

/** The same now and at every change. Only rank 0 answers. */
export async function* watchGroup(
  client: FluxClient,
  name: string,
  options?: CallOptions,
): AsyncGenerator<number[], void> {
  for await (const answer of client.stream(topic, { name }, { ...options, nodeid: 0 }))
    yield readAnswer(groupAnswer, topic, answer).members;
}
