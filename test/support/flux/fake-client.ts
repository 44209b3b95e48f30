import type { FluxClient } from '../../../agent/flux/client.ts';

export interface FakeClient extends FluxClient {
  /** The topics of all requests, each with its payload. */
  readonly requests: (readonly [topic: string, payload: unknown])[];
}

/** A connection to a broker that gives each topic one response, or for a stream each of its items. An Error is thrown. */
export function fakeClient(responses: Readonly<Record<string, unknown>> = {}): FakeClient {
  const requests: FakeClient['requests'] = [];
  const responseTo = (topic: string, payload: unknown) => {
    requests.push([topic, payload]);
    const response = responses[topic];
    if (response instanceof Error) throw response;
    return response ?? {};
  };
  return {
    requests,
    closed: new Promise(() => undefined),
    rpc: async (topic: string, payload: unknown) => responseTo(topic, payload),
    async *stream(topic: string, payload: unknown) {
      yield* responseTo(topic, payload) as readonly unknown[];
    },
  } as unknown as FakeClient;
}
