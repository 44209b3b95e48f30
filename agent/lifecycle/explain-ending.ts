import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Ending } from '../broker/process.ts';
import type { Configuration } from '../config/resolve.ts';
import { ExitCode, errnoOf, PodError } from '../errors.ts';
import type { Membership } from '../pod/membership.ts';

/** What a broker ends with when it could not start, and says why among much else. */
const brokerFailed = 1;

/**
 * Looks for the reason when a broker that others connect to has ended with 1, and throws it as a PodError (exit 78). This is
 * done afterwards because to look beforehand would hold up every start for the sake of one that fails.
 */
export async function explainEnding(
  ending: Ending,
  { address, port }: Configuration,
  { tree, rank }: Membership,
): Promise<void> {
  if (ending.code !== brokerFailed || tree.descendantCountOf(rank) === 0) return;
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
