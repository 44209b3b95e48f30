/** Requests that are noted, and that fail as a test says. */
import { ApiError, type KubernetesApi } from '../../../controller/kubernetes/api.ts';
import { type Clock, pause } from '../../../controller/kubernetes/controller-clock.ts';
import type { KubernetesObject } from '../../../controller/kubernetes/object.ts';
import { type Resource, resourceOf } from '../../../controller/kubernetes/resources.ts';

export const faults = [
  'reset before',
  'reset after',
  'internal error',
  'too many requests',
  'timeout',
  'conflict',
] as const;
/** `reset after` and `timeout` are carried out, and their answers lost. */
export type Fault = (typeof faults)[number];

export interface ApiCall {
  readonly verb: 'list' | 'watch' | 'get' | 'create' | 'apply' | 'patch' | 'delete';
  readonly resource: Resource;
  readonly subresource: 'status' | undefined;
  /** Undefined for lists and watches. */
  readonly name: string | undefined;
}

export const isWrite = ({ verb }: ApiCall): boolean => !['list', 'watch', 'get'].includes(verb);

/** How httpApi reports each: test/controller/kubernetes/http-api.test.ts holds it to that. */
function errorOf(fault: Fault): ApiError {
  if (fault === 'internal error') return new ApiError(500, 'InternalError', fault);
  if (fault === 'too many requests')
    return new ApiError(429, 'TooManyRequests', fault, { retryAfterMs: 1000 });
  if (fault === 'conflict') return new ApiError(409, 'Conflict', fault);
  return new ApiError(0, 'Unreachable', fault);
}

export interface FaultyOptions {
  readonly clock: Clock;
  /** Asked of each request. `dead`: neither carried out nor answered; `last`: carried out, not answered. */
  readonly fault: (call: ApiCall) => Fault | 'dead' | 'last' | undefined;
}

/** A request that has no answer fails after this. */
const answerMs = 30_000;

export function faultyApi(api: KubernetesApi, { clock, fault }: FaultyOptions): KubernetesApi {
  async function send<T>(
    verb: ApiCall['verb'],
    target: Pick<ApiCall, 'resource'> & Partial<ApiCall>,
    carryOut: () => Promise<T>,
  ): Promise<T> {
    const { resource, name, subresource } = target;
    const failing = fault({ verb, resource, name, subresource });
    if (failing === undefined) return carryOut();
    if (failing === 'dead') return new Promise<T>(() => undefined);
    if (failing === 'last' || failing === 'reset after' || failing === 'timeout')
      if (verb !== 'watch')
        // A watch never ends by itself.
        await carryOut().catch(() => undefined);
    if (failing === 'last') return new Promise<T>(() => undefined);
    await pause(clock, failing === 'timeout' ? answerMs : 1);
    throw errorOf(failing);
  }
  const of = (object: KubernetesObject) => ({ resource: resourceOf(object), name: object.metadata.name });
  return {
    list: (resource, ...rest) => send('list', { resource }, () => api.list(resource, ...rest)),
    watch: (resource, ...rest) => send('watch', { resource }, () => api.watch(resource, ...rest)),
    get: (target) => send('get', target, () => api.get(target)),
    create: (object) => send('create', of(object), () => api.create(object)),
    apply: (object) => send('apply', of(object), () => api.apply(object)),
    patch: (target, patch, subresource) =>
      send('patch', { ...target, ...(subresource && { subresource }) }, () =>
        api.patch(target, patch, subresource),
      ),
    delete: (target, uid) => send('delete', target, () => api.delete(target, uid)),
  };
}
