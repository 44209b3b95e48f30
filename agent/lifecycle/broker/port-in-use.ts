import { once } from 'node:events';
import { createServer } from 'node:net';
import { ExitCode, errnoOf, PodError } from '../../errors.ts';

/** Throws a PodError (exit 78) where another socket listens there. */
export async function assertPortIsFree(address: string, port: number): Promise<void> {
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
