/** An API server in memory, over HTTP: what the controller uses of the real one. When the two disagree, this one is wrong. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import { createObjectStore, Refused, type Schema, type Stored, type StoreEvent } from './object-store.ts';
import { shownBy } from './watch-filter.ts';

/** A request as tests see it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

/** What happens to a request in place of its answer: it fails, or its answer is lost after it was carried out. */
export type Fault =
  | 'unavailable'
  | 'too many requests'
  | 'conflict'
  | 'lost answer'
  | 'reset'
  | 'silence'
  | 'half an answer'
  | 'half an answer, then silence';

export interface MemoryApiServer extends AsyncDisposable {
  /** Of the controller. */
  readonly config: KubeConfig;
  /** Of everything else in the cluster: not in `requests`, and without faults. */
  readonly others: KubeConfig;
  readonly store: ReturnType<typeof createObjectStore>;
  readonly schema: Schema;
  readonly requests: SeenRequest[];
  /** Asked of each request. */
  fault: (request: SeenRequest) => Fault | undefined;
  /** Ends all watches, as a restart does. */
  readonly endWatches: () => void;
}

export async function startApiServer(): Promise<MemoryApiServer> {
  const schema: Schema = { statusFields: undefined };
  const store = createObjectStore(schema);
  const requests: SeenRequest[] = [];
  const watches = new Set<ServerResponse>();
  const snapshots: { readonly all: readonly Stored[]; readonly version: string }[] = [];
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => {
      const { code, reason, message } =
        error instanceof Refused ? error : new Refused(500, 'InternalError', String(error));
      response.writeHead(code, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ kind: 'Status', code, reason, message }));
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://api');
    const seen = { method: request.method ?? '', path: url.pathname, query: url.searchParams };
    const isController = request.headers.authorization === undefined;
    if (isController) requests.push(seen);
    const body = await bodyOf(request);
    const fault = isController ? self.fault(seen) : undefined;
    if (fault === 'silence') return;
    if (fault === 'too many requests') response.setHeader('retry-after', '7');
    if (fault === 'too many requests') throw new Refused(429, 'TooManyRequests', 'the server is busy');
    if (fault === 'reset') return void request.socket.destroy();
    if (fault === 'unavailable')
      throw new Refused(503, 'ServiceUnavailable', 'the server is currently unable to handle the request');
    if (fault === 'conflict') throw new Refused(409, 'Conflict', 'the object has been modified');
    const place = placeOf(url.pathname);
    if (seen.method === 'GET' && url.searchParams.has('watch'))
      return watch(place, url.searchParams, response);
    const result = carryOut(seen, place, body, request.headers['content-type'] ?? '');
    if (fault === 'lost answer') return void request.socket.destroy();
    response.writeHead(seen.method === 'POST' ? 201 : 200, { 'content-type': 'application/json' });
    const text = JSON.stringify(result);
    if (!fault) return void response.end(text);
    response.write(text.slice(0, text.length / 2), () => {
      if (fault === 'half an answer') request.socket.destroy();
    });
  }

  function carryOut({ method, query }: SeenRequest, place: Place, body: unknown, type: string): unknown {
    const { collection, namespace, name, subresource } = place;
    if (method === 'GET' && name === undefined) return list(place, query);
    if (method === 'GET') return store.get(collection, namespace, name ?? '');
    if (method === 'POST') return store.create(collection, body as Stored);
    if (method === 'DELETE') {
      const { preconditions, propagationPolicy } = (body ?? {}) as {
        preconditions?: { uid: string };
        propagationPolicy?: string;
      };
      return store.delete(collection, namespace, name ?? '', {
        ...(preconditions && { uid: preconditions.uid }),
        ...(propagationPolicy !== undefined && { propagation: propagationPolicy }),
      });
    }
    if (method === 'PATCH' && type.startsWith('application/apply-patch'))
      return store.apply(collection, body as Stored, query.get('fieldManager') ?? '', subresource);
    if (method === 'PATCH')
      return store.patch(
        collection,
        namespace,
        name ?? '',
        (subresource === 'scale' ? scaled(body) : body) as Stored,
        subresource,
        query.get('fieldManager') ?? '',
      );
    throw new Refused(405, 'MethodNotAllowed', method);
  }

  function list({ collection, namespace }: Place, query: URLSearchParams): unknown {
    // All pages are of one moment (etcd keeps the revision; the token has it).
    const [id = 0, from = 0] = query.get('continue')?.split(':').map(Number) ?? [snapshots.length];
    snapshots[id] ??= {
      all: store
        .list(collection, namespace, query.get('labelSelector') ?? undefined)
        .filter(({ metadata }) => [undefined, metadata.name].includes(nameIn(query))),
      version: String(store.version()),
    };
    const { all, version } = snapshots[id];
    const limit = Number(query.get('limit') ?? all.length);
    const items = all.slice(from, from + limit).map(({ apiVersion: _, kind: __, ...item }) => item);
    const metadata = {
      resourceVersion: version,
      ...(from + limit < all.length && { continue: `${id}:${from + limit}` }),
    };
    return { kind: 'List', metadata, items };
  }

  function watch({ collection, namespace }: Place, query: URLSearchParams, response: ServerResponse): void {
    const labelSelector = query.get('labelSelector') ?? undefined;
    const write = (event: StoreEvent) => {
      const shown = shownBy({ collection, namespace, labelSelector, name: nameIn(query) }, event);
      if (shown && !response.writableEnded) response.write(`${JSON.stringify(shown)}\n`);
    };
    // The answer begins only when it is known not to be 410.
    const past: StoreEvent[] = [];
    let show = (event: StoreEvent): void => void past.push(event);
    const end = store.watch(Number(query.get('resourceVersion') ?? 0), (event) => show(event));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    show = write;
    past.forEach(write);
    watches.add(response);
    response.on('close', () => {
      watches.delete(response);
      end();
    });
  }

  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const configOf = (user: { name: string; token?: string }) => {
    const config = new KubeConfig();
    config.loadFromClusterAndUser({ name: 'memory', server: address, skipTLSVerify: true }, user);
    return config;
  };
  const self: MemoryApiServer = {
    config: configOf({ name: 'controller' }),
    others: configOf({ name: 'others', token: 'others' }),
    store,
    schema,
    requests,
    fault: () => undefined,
    endWatches: () => {
      for (const response of watches) response.end();
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
  return self;
}

/** Of the CRD: specReplicasPath is spec.size. */
const scaled = (body: unknown) => ({
  spec: { size: (body as { spec: { replicas: number } }).spec.replicas },
});

/** The only field selector that is used: `metadata.name=NAME`. */
const nameIn = (query: URLSearchParams): string | undefined =>
  query.get('fieldSelector')?.slice('metadata.name='.length);

interface Place {
  readonly collection: string;
  readonly namespace: string;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

/** `/apis/batch/v1/namespaces/default/jobs/mc/status`. */
function placeOf(path: string): Place {
  const [, base = '', namespace = '', plural = '', name, subresource] =
    /^(\/api\/[^/]+|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(
      path,
    ) ?? [];
  return { collection: `${base}/${plural}`, namespace, name, subresource };
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? undefined : JSON.parse(text);
}
