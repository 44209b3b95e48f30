/** The shutdown of the instance (flux-core src/broker/shutdown.c, flux-shutdown(1)). Only rank 0 accepts it. */
import type { RpcOptions } from '../channel.ts';
import type { FluxClient } from './answer.ts';

/** syslog(3): the level of the log lines of a streaming request. */
const info = 6;

/** Begins the shutdown: the initial program gets SIGHUP, jobs are cancelled, all brokers exit. */
export async function startShutdown(client: FluxClient, options?: RpcOptions): Promise<void> {
  await client.rpc('shutdown.start', { loglevel: info }, options);
}
