/** An API server in memory, over HTTP: what the controller uses of the real one. When the two disagree, this one is wrong. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import {
  createObjectStore,
  Refused,
  type Schema,
  type Stored,
  type StoreEvent,
  selects,
} from './object-store.ts';

/** A request as tests see it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

/** What happens to a request in place of its answer: it fails, or its answer is lost after it was carried out. */
export type Fault = 'unavailable' | 'conflict' | 'lost answer' | 'reset';

export interface MemoryApiServer extends AsyncDisposable {
  readonly config: KubeConfig;
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
    requests.push(seen);
    const body = await bodyOf(request);
    const fault = self.fault(seen);
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
    response.end(JSON.stringify(result));
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
        body as Stored,
        subresource,
        query.get('fieldManager') ?? '',
      );
    throw new Refused(405, 'MethodNotAllowed', method);
  }

  function list({ collection, namespace }: Place, query: URLSearchParams): unknown {
    const all = store.list(collection, namespace, query.get('labelSelector') ?? undefined);
    const from = Number(query.get('continue') ?? 0);
    const limit = Number(query.get('limit') ?? all.length);
    const items = all.slice(from, from + limit).map(({ apiVersion: _, kind: __, ...item }) => item);
    const metadata = {
      resourceVersion: String(store.version()),
      ...(from + limit < all.length && { continue: String(from + limit) }),
    };
    return { kind: 'List', metadata, items };
  }

  function watch({ collection, namespace }: Place, query: URLSearchParams, response: ServerResponse): void {
    const selector = query.get('labelSelector') ?? undefined;
    const end = store.watch(Number(query.get('resourceVersion') ?? 0), (event) => {
      if (event.collection !== collection) return;
      if (namespace !== '' && event.object.metadata.namespace !== namespace) return;
      if (response.writableEnded) return;
      const matches = selects(selector, event.object);
      // What no longer matches is deleted, as far as this watch goes.
      const matched = event.before ? selects(selector, event.before) : false;
      if (!matches && !matched) return;
      const type = !matches ? 'DELETED' : !matched && event.type === 'MODIFIED' ? 'ADDED' : event.type;
      response.write(`${JSON.stringify({ type, object: matches ? event.object : lastMatching(event) })}\n`);
    });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    watches.add(response);
    response.on('close', () => {
      watches.delete(response);
      end();
    });
  }

  await once(server.listen(0, '127.0.0.1'), 'listening');
  const config = new KubeConfig();
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  config.loadFromClusterAndUser({ name: 'memory', server: address, skipTLSVerify: true }, { name: 'test' });
  const self: MemoryApiServer = {
    config,
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

/** The API server sends the state before, with the version of the change (apiserver pkg/storage, watch_cache). */
const lastMatching = ({ before, object }: StoreEvent): Stored | undefined =>
  before && {
    ...before,
    metadata: { ...before.metadata, resourceVersion: object.metadata.resourceVersion ?? '' },
  };

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
