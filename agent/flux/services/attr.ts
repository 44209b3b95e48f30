/** Broker attributes: flux-broker-attributes(7). */
import * as z from 'zod/mini';
import type { RpcOptions } from '../channel.ts';
import { Errno, FluxError } from '../errors.ts';
import { type FluxClient, readAnswer } from './answer.ts';

const attrAnswer = z.object({ value: z.string() });

/** The value of an attribute, such as `size` or `tbon.parent-endpoint`; undefined where it is not set. */
export async function getAttr(
  client: FluxClient,
  name: string,
  options?: RpcOptions,
): Promise<string | undefined> {
  const topic = 'attr.get';
  try {
    return readAnswer(attrAnswer, topic, await client.rpc(topic, { name }, options)).value;
  } catch (error) {
    if (error instanceof FluxError && error.errnum === Errno.noEntry) return undefined;
    throw error;
  }
}
