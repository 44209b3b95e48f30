/** /healthz, /readyz and /metrics of the controller, for the kubelet and Prometheus. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ExitCode, errnoOf, messageOf, PodError } from '../agent/errors.ts';
import type { ControllerMetrics } from './controller-metrics.ts';

export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  /** All resources have been listed, or another replica leads. */
  readonly isReady: () => boolean;
  readonly metrics: ControllerMetrics;
}

/** Everything that a client can send has a limit; there is nothing here to write. */
const limits = {
  maxHeaderSize: 8192,
  headersTimeout: 5000,
  requestTimeout: 5000,
  keepAliveTimeout: 10_000,
  connectionsCheckingInterval: 1000,
};
const mostConnections = 128;

/** Throws a PodError (exit 78) where another socket listens there, or the address is not this machine's. */
export async function serve({
  host,
  port,
  isReady,
  metrics,
}: ServeOptions): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer(limits, (request, response) => {
    request.resume();
    const answer = (status: number, body: string, type = 'text/plain; charset=utf-8') =>
      response.writeHead(status, { 'content-type': type }).end(body);
    if (request.method !== 'GET' && request.method !== 'HEAD') return void answer(405, 'GET only\n');
    if (request.url === '/healthz') return void answer(200, 'ok\n');
    if (request.url === '/readyz')
      return void (isReady() ? answer(200, 'ok\n') : answer(503, 'the resources are being listed\n'));
    if (request.url === '/metrics')
      return void metrics.text().then(
        (text) => answer(200, text, metrics.contentType),
        () => answer(500, 'the metrics cannot be read\n'),
      );
    answer(404, 'there are /healthz, /readyz and /metrics\n');
  });
  server.maxConnections = mostConnections;
  server.listen(port, host);
  await once(server, 'listening').catch((error: unknown) => {
    const why = errnoOf(error) === 'EADDRINUSE' ? 'something else listens there' : messageOf(error);
    throw new PodError(ExitCode.configuration, `Cannot serve probes and metrics on ${host}:${port}: ${why}`, {
      hint: 'Give another address with `--http HOST:PORT`.',
      cause: error,
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
