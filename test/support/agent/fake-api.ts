import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCredentials } from '../../../agent/api/auth/credentials.ts';
import type { BrokerConnections } from '../../../agent/api/broker-connections.ts';
import type { usualConnectionLimits } from '../../../agent/api/http/api-server.ts';
import type { StreamLimits } from '../../../agent/api/http/streams.ts';
import { serveApi } from '../../../agent/api/serve.ts';
import { createTopology, parseTopology } from '../../../agent/cluster/topology.ts';
import type { Demand } from '../../../agent/demand/demand.ts';
import type { FluxClient } from '../../../agent/flux/client.ts';
import { Errno, FluxError } from '../../../agent/flux/errors.ts';
import { createPodState } from '../../../agent/health/pod-state.ts';
import { configurationOf } from './configuration.ts';
import { mountSecret } from './mounted-secret.ts';
import { recordedLog } from './recorded-log.ts';

type Payload = Readonly<Record<string, unknown>>;

/** What a Flux of the test's own answers, by topic. */
export interface FakeFlux {
  /** Answers of bytes to bytes. */
  readonly raw?: Readonly<Record<string, (payload: Uint8Array) => Uint8Array | Promise<Uint8Array>>>;
  readonly rpc?: Readonly<Record<string, (payload: Payload) => unknown>>;
  readonly stream?: Readonly<
    Record<string, (payload: Payload) => AsyncIterable<unknown> | Iterable<unknown>>
  >;
}

export function fakeBroker({
  rpc = {},
  raw = {},
  stream = {},
}: FakeFlux): BrokerConnections & { asked: [string, Payload][] } {
  const asked: [string, Payload][] = [];
  const client: FluxClient = {
    rpc: async (topic, payload = {}, { signal } = {}) => {
      signal?.throwIfAborted();
      asked.push([topic, payload]);
      const answer = rpc[topic];
      if (!answer) throw new FluxError(Errno.noService, { topic });
      const result = answer(payload);
      const { promise: aborted, reject } = Promise.withResolvers<never>();
      aborted.catch(() => undefined);
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      return Promise.race([result, aborted]);
    },
    rpcRaw: async (topic, payload) => {
      asked.push([topic, {}]);
      const answer = raw[topic];
      if (!answer) throw new FluxError(Errno.noService, { topic });
      return answer(payload);
    },
    stream: async function* (topic, payload = {}) {
      asked.push([topic, payload]);
      const answers = stream[topic];
      if (!answers) throw new FluxError(Errno.noService, { topic });
      yield* answers(payload);
    },
    subscribe: () => () => undefined,
    closed: new Promise(() => undefined),
    close: () => undefined,
    [Symbol.dispose]: () => undefined,
  };
  return { asked, client: async () => client, connect: async () => client, close: () => undefined };
}

export const writeToken = 'write-0123456789abcdef';
export const readToken = 'read-0123456789abcdef';

export const usualSecret = { write: `${writeToken}\n`, read: `# to look\n${readToken}\n` };

/** What the log names a token by. */
export const idOfToken = (token: string): string =>
  createHash('sha256').update(token).digest('hex').slice(0, 8);

/** The API of a test, on a port of loopback, with tokens unless `open`. */
export async function startApi(
  flux: FakeFlux = {},
  {
    open = false,
    rate = 2000,
    streams,
    connections,
    tls,
    now,
    secretKey,
    demand,
    broker: given,
  }: ApiSpec = {},
) {
  const directory = mkdtempSync(join(tmpdir(), 'flux-pod-api-'));
  mountSecret(directory, {
    ...usualSecret,
    ...(secretKey !== undefined && { 'secret-key': `${secretKey}\n` }),
  });
  const [apiTlsCert, apiTlsKey] = ['tls.crt', 'tls.key'].map((file) => join(directory, file));
  if (tls) writeTls(directory, tls);
  const set = {
    api: 'on',
    apiListen: '127.0.0.1:1',
    apiRate: rate,
    ...(!open && { apiTokens: directory }),
    ...(tls && { apiTlsCert, apiTlsKey }),
  };
  const configuration = { ...configurationOf(set), apiListen: { host: '127.0.0.1', port: 0 } };
  const fake = fakeBroker(flux);
  const broker = given ?? fake;
  const log = recordedLog();
  const { state: podState, writer } = createPodState(configuration, []);
  const api = await serveApi({
    configuration,
    credentials: readCredentials(configuration),
    socketPath: '',
    tree: createTopology(parseTopology('kary:2'), 4),
    environment: { PATH: '/bin', FLUX_POD_SIZE: '4' },
    version: '0.0.0',
    page: { script: 'script', style: 'style' },
    podState: writer,
    log,
    broker,
    ...(streams && { streamLimits: streams }),
    ...(connections && { connectionLimits: connections }),
    ...(now && { now }),
    ...(demand && { demand }),
  });
  const url = `http://127.0.0.1:${api.port}`;
  const ask = async (
    method: string,
    path: string,
    { token = writeToken, body, headers = {} }: Asked = {},
  ) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(token !== '' && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson && text !== '' ? JSON.parse(text) : undefined,
    };
  };
  const close = () => {
    api.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return {
    ask,
    url,
    port: api.port,
    directory,
    log,
    podState,
    asked: fake.asked,
    close,
    [Symbol.dispose]: close,
  };
}

/** As the kubelet lays out a Secret of the type kubernetes.io/tls. */
export function writeTls(directory: string, { cert, key }: Tls): void {
  writeFileSync(join(directory, 'tls.crt'), cert);
  writeFileSync(join(directory, 'tls.key'), key);
}

/** Both as PEM. */
export interface Tls {
  readonly cert: string;
  readonly key: string;
}

export interface ApiSpec {
  /** Of the queue. */
  readonly demand?: () => Demand;
  readonly open?: boolean;
  readonly rate?: number;
  readonly streams?: StreamLimits;
  readonly connections?: typeof usualConnectionLimits;
  readonly tls?: Tls;
  /** Signs the JWTs of flux-restful-api's client. */
  readonly secretKey?: string;
  /** The clock of the limits, in milliseconds. */
  readonly now?: () => number;
  /** In place of the one whose answers are given. */
  readonly broker?: BrokerConnections;
}

export interface Asked {
  /** Empty for none. */
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}
