/** The requests that the controller makes of an API server. */
import type { KubernetesObject } from './object.ts';
import type { Resource } from './resources.ts';

export interface ObjectList {
  readonly items: readonly KubernetesObject[];
  /** Where a watch goes on from. */
  readonly resourceVersion: string;
}

export interface Scope {
  /** Undefined: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  /** The object of this name alone: a role can be restricted to it (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources). */
  readonly name?: string;
}

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubernetesObject }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export interface Target {
  readonly resource: Resource;
  readonly namespace: string;
  readonly name: string;
}

export interface KubernetesApi {
  /** All pages. */
  list(resource: Resource, scope: Scope, signal: AbortSignal): Promise<ObjectList>;
  /** Settles when the server ends the watch or `signal` aborts. Throws an ApiError, 410 where `resourceVersion` is too old. */
  watch(
    resource: Resource,
    scope: Scope & { readonly resourceVersion: string },
    onEvent: (event: WatchEvent) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Undefined where there is none. */
  get(target: Target): Promise<KubernetesObject | undefined>;
  create(object: KubernetesObject): Promise<KubernetesObject>;
  /** Server-side apply by the field manager flux-pod, which takes over the fields of other managers. */
  apply(object: KubernetesObject): Promise<KubernetesObject>;
  /**
   * A JSON merge patch (RFC 7396). With a resourceVersion in it: 409 where the object has changed since. Fields that the resource's schema
   * does not have are left out by the API server, where server-side apply refuses them.
   */
  patch(target: Target, patch: object, subresource?: 'status'): Promise<KubernetesObject>;
  /** Its dependents go in the background. An object that is away already, or is another one than `uid`, is no error. */
  delete(target: Target, uid?: string): Promise<void>;
}

/** `api` until `signal` aborts: then no request begins, in the middle of what they belong to. Lists and watches have a signal of their own. */
export function untilAborted(api: KubernetesApi, signal: AbortSignal): KubernetesApi {
  const guarded =
    <P extends readonly unknown[], T>(request: (...parameters: P) => Promise<T>) =>
    async (...parameters: P): Promise<T> => {
      signal.throwIfAborted();
      return request(...parameters);
    };
  return {
    ...api,
    get: guarded(api.get),
    create: guarded(api.create),
    apply: guarded(api.apply),
    patch: guarded(api.patch),
    delete: guarded(api.delete),
  };
}

/** An answer that is not 2xx, or none. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** Of HTTP; 0 where the API server could not be reached. */
  readonly status: number;
  /** Kubernetes' own, such as AlreadyExists. */
  readonly reason: string;
  /** How long the API server asks to be left alone (the header Retry-After). Milliseconds. */
  readonly retryAfterMs: number;

  constructor(
    status: number,
    reason: string,
    message: string,
    { retryAfterMs = 0, ...options }: ErrorOptions & { readonly retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What a retry of `error` has to wait at least. Milliseconds. */
export const retryAfter = (error: unknown): number => (error instanceof ApiError ? error.retryAfterMs : 0);

/** The request may succeed later as it is: it found no API server, or one that is overloaded or broken. */
export const isTransient = (error: unknown): boolean =>
  error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500);

export const hasStatus = (error: unknown, ...statuses: readonly number[]): boolean =>
  error instanceof ApiError && statuses.includes(error.status);

/**
 * The API server has understood the request and does not carry it out: a quota, an admission webhook or policy, a validation, a role. Not what
 * another object of that name or a newer version (404, 409, 410) means, nor a missing login (401).
 */
export const isRefusal = (error: unknown): error is ApiError => hasStatus(error, 400, 403, 405, 413, 422);

export const fieldManager = 'flux-pod';
