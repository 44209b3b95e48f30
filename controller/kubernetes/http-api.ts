/** The requests to a real API server, over what @kubernetes/client-node knows of it: address, TLS, credentials. */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { KubeConfig } from '@kubernetes/client-node';
import { HttpMethod, RequestContext } from '@kubernetes/client-node';
import { type Dispatcher, fetch, getGlobalDispatcher, type Response } from 'undici';
import {
  ApiError,
  fieldManager,
  hasStatus,
  type KubernetesApi,
  type ObjectList,
  type WatchEvent,
} from './api.ts';
import type { KubernetesObject } from './object.ts';
import { apiVersionOf, pathOf, resourceOf } from './resources.ts';

/** Of a list: client-go's own (tools/pager). */
const pageSize = 500;
/** An answer that takes longer has failed. Watches have no such limit: they are silent while nothing changes. */
const usualAnswerMs = 30_000;
/** The token of a service account is replaced in its file long before it expires. */
const credentialsMs = 60_000;
/** Seconds. */
const mostRetryAfter = 60;

interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly dispatcher: Dispatcher | undefined;
}

export function httpApi(
  config: KubeConfig,
  { now = () => performance.now(), manager = fieldManager, answerMs = usualAnswerMs } = {},
): KubernetesApi {
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new ApiError(0, 'NoCluster', 'The kubeconfig has no current cluster.');
  let lastGood: Credentials | undefined;
  let reading: Promise<Credentials> | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  const readCredentials = async (): Promise<Credentials> => {
    try {
      const context = new RequestContext(server, HttpMethod.GET);
      await config.applySecurityAuthentication(context);
      // One pool of connections for as long as the process lives: a new one would connect anew.
      const dispatcher =
        lastGood?.dispatcher ?? withTimeouts(context.getDispatcher() as Dispatcher | undefined, answerMs);
      lastGood = { headers: context.getHeaders(), dispatcher };
      return lastGood;
    } catch (error) {
      // Those from before may still be good: the next request reads again.
      readAt = Number.NEGATIVE_INFINITY;
      if (lastGood) return lastGood;
      throw error;
    }
  };
  const currentCredentials = (): Promise<Credentials> => {
    if (reading && now() - readAt < credentialsMs) return reading;
    readAt = now();
    reading = readCredentials();
    return reading;
  };

  /** What `read` makes of an answer that is 2xx. Throws an ApiError, whichever part of it fails. */
  async function send<T>(
    method: string,
    path: string,
    { query = {}, body, type, signal }: RequestOptions,
    read: (response: Response) => T | Promise<T>,
  ): Promise<T> {
    const url = new URL(server + path);
    for (const [key, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(key, value);
    try {
      const { headers, dispatcher } = await currentCredentials();
      const response = await fetch(url, {
        method,
        headers: {
          ...headers,
          accept: 'application/json',
          ...(type !== undefined && { 'content-type': type }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(dispatcher && { dispatcher }),
        signal: signal ?? AbortSignal.timeout(answerMs),
      });
      if (!response.ok) throw await errorOf(response, `${method} ${path}`);
      return await read(response);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ApiError(0, 'Unreachable', `${method} ${path}: ${why}`, { cause });
    }
  }

  const json = <T = KubernetesObject>(method: string, path: string, options: RequestOptions = {}) =>
    send(method, path, options, (response) => response.json() as Promise<T>);

  return {
    list: async (resource, { namespace, labelSelector, name }, signal) => {
      const items: KubernetesObject[] = [];
      let next: string | undefined;
      for (;;) {
        const page = await json<ListAnswer>(
          'GET',
          pathOf(resource, { ...(namespace !== undefined && { namespace }) }),
          {
            query: {
              limit: String(pageSize),
              labelSelector,
              fieldSelector: fieldSelectorOf(name),
              continue: next,
            },
            signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
          },
        );
        // The items of a list name neither their kind nor their version.
        const identity = { apiVersion: apiVersionOf(resource), kind: resource.kind };
        items.push(...page.items.map((item) => ({ ...item, ...identity })));
        next = page.metadata.continue || undefined;
        if (next === undefined)
          return { items, resourceVersion: page.metadata.resourceVersion } satisfies ObjectList;
      }
    },
    watch: async (resource, { namespace, labelSelector, name, resourceVersion }, onEvent, signal) => {
      const response = await send(
        'GET',
        pathOf(resource, { ...(namespace !== undefined && { namespace }) }),
        {
          query: {
            watch: 'true',
            allowWatchBookmarks: 'true',
            labelSelector,
            fieldSelector: fieldSelectorOf(name),
            resourceVersion,
          },
          signal,
        },
        (answer) => answer,
      );
      if (!response.body) return;
      const body = Readable.fromWeb(response.body);
      try {
        for await (const line of createInterface({ input: body })) if (line !== '') onEvent(eventOf(line));
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError) throw error;
        throw new ApiError(0, 'Unreachable', `the watch of ${resource.plural} has broken`, { cause: error });
      } finally {
        body.destroy();
      }
    },
    get: ({ resource, namespace, name }) =>
      json('GET', pathOf(resource, { namespace, name })).catch((error: unknown) => {
        if (hasStatus(error, 404)) return undefined;
        throw error;
      }),
    create: (object) =>
      json('POST', pathOf(resourceOf(object), { namespace: object.metadata.namespace ?? '' }), {
        query: { fieldManager: manager },
        body: object,
        type: 'application/json',
      }),
    apply: (object) => {
      const { namespace = '', name } = object.metadata;
      return json('PATCH', pathOf(resourceOf(object), { namespace, name }), {
        query: { fieldManager: manager, force: 'true' },
        body: object,
        type: 'application/apply-patch+yaml',
      });
    },
    patch: ({ resource, namespace, name }, patch, subresource) =>
      json('PATCH', pathOf(resource, { namespace, name, ...(subresource && { subresource }) }), {
        query: { fieldManager: manager },
        body: patch,
        type: 'application/merge-patch+json',
      }),
    delete: async ({ resource, namespace, name }, uid) => {
      const options = {
        propagationPolicy: 'Background',
        ...(uid !== undefined && { preconditions: { uid } }),
      };
      try {
        const request = { body: options, type: 'application/json' };
        const path = pathOf(resource, { namespace, name });
        await send('DELETE', path, request, (response) => response.body?.cancel());
      } catch (error) {
        if (!hasStatus(error, 404, 409)) throw error;
      }
    },
  };
}

/**
 * undici ends a body that is silent for 300 s; a watch may be. It is answered at once all the same, before its first event. Every other request
 * has a deadline of its own.
 */
const withTimeouts = (dispatcher: Dispatcher | undefined, headersTimeout: number): Dispatcher =>
  (dispatcher ?? getGlobalDispatcher()).compose(
    (dispatch) => (options, handler) => dispatch({ ...options, bodyTimeout: 0, headersTimeout }, handler),
  );

const fieldSelectorOf = (name: string | undefined) =>
  name === undefined ? undefined : `metadata.name=${name}`;

interface RequestOptions {
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: object;
  readonly type?: string;
  readonly signal?: AbortSignal;
}

interface ListAnswer {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly Omit<KubernetesObject, 'apiVersion' | 'kind'>[];
}

/** A line of a watch. Throws an ApiError for one of type ERROR: 410 where the resourceVersion has become too old. */
function eventOf(line: string): WatchEvent {
  const { type, object } = JSON.parse(line) as { type: string; object: KubernetesObject & Status };
  if (type === 'ERROR')
    throw new ApiError(object.code ?? 500, object.reason ?? '', object.message ?? 'the watch failed');
  if (type === 'BOOKMARK') return { type, resourceVersion: object.metadata.resourceVersion ?? '' };
  return { type: type as 'ADDED', object };
}

/** metav1.Status. */
interface Status {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
}

async function errorOf(response: Response, what: string): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  let status: Status = {};
  try {
    status = JSON.parse(text) as Status;
  } catch {
    // A proxy's page.
  }
  const message = status.message ?? (text.slice(0, 200) || response.statusText);
  // Seconds; the API server sends no dates (apiserver pkg/server/filters, and flow control).
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  const retryAfterMs = seconds > 0 ? Math.min(seconds, mostRetryAfter) * 1000 : 0;
  return new ApiError(response.status, status.reason ?? '', `${what}: ${message}`, { retryAfterMs });
}
