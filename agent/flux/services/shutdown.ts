/** The end of the instance (flux-core src/broker/shutdown.c, flux-shutdown(1)). Only rank 0 takes it. */
import type { RpcOptions } from '../channel.ts';
import type { FluxClient } from './answer.ts';

/** syslog(3): what is logged meanwhile, were it asked for. */
const info = 6;

/** Begins the shutdown: the initial program is hung up, jobs are cancelled, all brokers end. */
export async function startShutdown(client: FluxClient, options?: RpcOptions): Promise<void> {
  await client.rpc('shutdown.start', { loglevel: info }, options);
}
