import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import type { Membership } from '../broker/membership.ts';
import type { Ending } from '../broker/process/broker-process.ts';
import type { Configuration } from '../config/configuration.ts';
import { ExitCode, errnoOf, PodError } from '../errors.ts';
import { type BrokerTrace, startFailureOf } from './start-failure.ts';

/** The exit code of a broker that could not start. */
const brokerFailed = 1;

/**
 * Looks for the reason when a broker has failed by itself, and throws it as a PodError: the port is taken (exit 78), or the leader's broker
 * did not come as far as its program (exit 71). This is done afterwards because to look beforehand would hold up every start for the
 * sake of one that fails.
 */
export async function explainEnding(
  ending: Ending,
  configuration: Configuration,
  { tree, rank }: Membership,
  trace: BrokerTrace,
): Promise<void> {
  if (ending.code === 0 || ending.signal) return;
  if (ending.code === brokerFailed && tree.descendantCountOf(rank) > 0) await assertPortIsFree(configuration);
  const why = rank === 0 ? startFailureOf(trace, ending.code) : undefined;
  if (why === undefined) return;
  throw new PodError(ExitCode.brokerFailed, `The broker could not start: ${why}`, {
    hint: why.startsWith('rc1 ')
      ? 'COMMAND has not run. The lines `rc1.0:` of the log above tell why.'
      : 'COMMAND has not run. The last lines of the broker above tell why.',
  });
}

async function assertPortIsFree({ address, port }: Configuration): Promise<void> {
  const server = createServer();
  try {
    server.listen({ host: address, port, exclusive: true });
    await once(server, 'listening');
  } catch (error) {
    const why = errnoOf(error) === 'EADDRINUSE' ? 'something else listens there' : String(errnoOf(error));
    throw new PodError(ExitCode.configuration, `Cannot use FLUX_POD_PORT=${port} on ${address}: ${why}`, {
      hint: 'Set FLUX_POD_PORT to a free port, the same in all pods.',
      cause: error,
    });
  } finally {
    server.close();
  }
}

/**
 * To be called before the broker starts; the answer is whether its socket has been made since. A broker removes its socket when it ends
 * (flux-core src/modules/connector-local), but the time of the directory stays changed.
 */
export function watchSocket(socket: string): () => boolean {
  const changedAt = () => statSync(dirname(socket), { bigint: true, throwIfNoEntry: false })?.mtimeNs;
  const before = changedAt();
  return () => changedAt() !== before;
}
