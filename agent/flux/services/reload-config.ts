/** The broker's configuration: flux-config(1), `flux config reload`. */
import type { RpcOptions } from '../channel.ts';
import type { FluxClient } from './answer.ts';

/** Makes this broker read its TOML again. Throws a FluxError with the broker's message where it refuses it. */
export async function reloadConfig(client: FluxClient, options?: RpcOptions): Promise<void> {
  await client.rpc('config.reload', {}, options);
}

/** The configuration in use. */
export const getConfig = (client: FluxClient, options?: RpcOptions): Promise<unknown> =>
  client.rpc('config.get', {}, options);
