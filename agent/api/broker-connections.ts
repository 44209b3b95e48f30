/** The API's own connections to the broker, apart from the agent's: one for questions, and one for every stream. */
import { type ConnectOptions, connectFlux, type FluxClient } from '../flux/client.ts';

export interface Broker {
  /** The connection for questions; made when it is first needed, and again when it has gone. Throws a FluxError. */
  readonly client: () => Promise<FluxClient>;
  /** A connection for one stream, closed by whoever asked for it or with the signal: a slow reader holds up nobody else. */
  readonly connect: (options?: ConnectOptions) => Promise<FluxClient>;
  readonly close: () => void;
}

export function createBroker(socketPath: string, connect: typeof connectFlux = connectFlux): Broker {
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
