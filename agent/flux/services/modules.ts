/** The modules of a broker (RFC 5, flux-module(1); flux-core src/broker/modhash.c). */
import * as z from 'zod/mini';
import type { RpcOptions } from '../channel.ts';
import { type FluxClient, readAnswer } from './answer.ts';

const modulesAnswer = z.object({
  mods: z.array(z.object({ name: z.string(), services: z._default(z.array(z.string()), []) })),
});

/** The name of the module that serves `service`; undefined where there is none. */
export async function getModuleOf(
  client: FluxClient,
  service: string,
  options?: RpcOptions,
): Promise<string | undefined> {
  const topic = 'module.list';
  const { mods } = readAnswer(modulesAnswer, topic, await client.rpc(topic, {}, options));
  return mods.find(({ name, services }) => name === service || services.includes(service))?.name;
}
