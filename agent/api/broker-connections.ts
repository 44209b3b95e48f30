/** The API's own connections to the broker, beside the agent's: one for requests, and one for every stream. */
import { type ConnectOptions, connectFlux, type FluxClient } from '../flux/client.ts';

export interface BrokerConnections {
  /** The connection for requests; opened at first use, and again after it has closed. Throws a FluxError. */
  readonly client: () => Promise<FluxClient>;
  /** A connection for one stream, which its caller closes, or the signal: a slow reader does not delay other streams. */
  readonly connect: (options?: ConnectOptions) => Promise<FluxClient>;
  readonly close: () => void;
}

export function createBrokerConnections(
  socketPath: string,
  connect: typeof connectFlux = connectFlux,
): BrokerConnections {
  let current: Promise<FluxClient> | undefined;
  const forget = (which: Promise<FluxClient>) => {
    if (current === which) current = undefined;
  };
  return {
    client: () => {
      if (current) return current;
      const opening = connect(socketPath);
      current = opening;
      opening.then(
        ({ closed }) => closed.then(() => forget(opening)),
        () => forget(opening),
      );
      return opening;
    },
    connect: async (options) => {
      const client = await connect(socketPath, options);
      options?.signal?.addEventListener('abort', client.close, { once: true });
      return client;
    },
    close: () => {
      current?.then((client) => client.close()).catch(() => undefined);
    },
  };
}
