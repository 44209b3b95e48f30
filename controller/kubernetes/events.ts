/** Events as `kubectl describe` shows them: what repeats is counted in one Event, as client-go's recorder does. */
import { randomBytes } from 'node:crypto';
import { type ApiError, hasStatus, isTransient, type KubernetesApi, retryAfter } from './api.ts';
import { type Clock, pause, systemClock } from './controller-clock.ts';
import { type Backoff, nextDelay } from './exponential-backoff.ts';
import { microTime } from './micro-time.ts';
import type { KubernetesObject } from './object.ts';
import { resources } from './resources.ts';

export interface NewEvent {
  readonly regarding: KubernetesObject;
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, for programs. */
  readonly reason: string;
  /** What the controller did. */
  readonly action: string;
  /** A sentence, for people. */
  readonly note: string;
}

export type RecordEvent = (event: NewEvent) => void;

export interface EventOptions {
  readonly api: KubernetesApi;
  /** Names the process among replicas. */
  readonly instance: string;
  readonly onError: (error: unknown) => void;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** events.k8s.io/v1 refuses longer ones. */
const longestNote = 1024;
/** Events that are remembered, so that what repeats is counted. */
const mostRemembered = 4096;

interface Series {
  readonly name: string;
  readonly namespace: string;
  count: number;
}

/** Twelve tries, as client-go's recorder (tools/events, maxTriesPerEvent). */
const mostTries = 12;
const backoff: Backoff = { first: 1000, most: 20_000 };

/** Of the quota of a namespace, which another request has changed (apiserver pkg/admission/plugin/resourcequota). */
const isConflict = (error: unknown): boolean =>
  hasStatus(error, 409) && (error as ApiError).reason === 'Conflict';

/** Events are not waited for: one that cannot be written in all these tries is reported to `onError` and dropped. */
export function createEventRecorder({
  api,
  instance,
  onError,
  clock = systemClock,
  random = Math.random,
}: EventOptions): RecordEvent {
  const seen = new Map<string, Promise<Series>>();
  let number = 0;
  /** Another replica may write an Event of the same MiniCluster in the same millisecond. */
  const suffix = randomBytes(4).toString('hex');

  async function retried(write: () => Promise<unknown>): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return void (await write());
      } catch (error) {
        if (!(isTransient(error) || isConflict(error)) || tries === mostTries) throw error;
        await pause(clock, Math.max(nextDelay(backoff, tries, random), retryAfter(error)));
      }
    }
  }

  async function create({ regarding, type, reason, action, note }: NewEvent): Promise<Series> {
    const { namespace = 'default', name, uid } = regarding.metadata;
    const time = clock.now();
    const event = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: {
        namespace,
        name: `${name}.${time.toString(16)}${(number++).toString(16).padStart(4, '0')}${suffix}`,
      },
      eventTime: microTime(time),
      reportingController: 'flux-pod/controller',
      reportingInstance: instance,
      action,
      reason,
      type,
      note,
      regarding: { apiVersion: regarding.apiVersion, kind: regarding.kind, namespace, name, uid },
    };
    await retried(() => api.create(event)).catch((error: unknown) => {
      // It was written, and the answer lost: the name is this process's own.
      if (!hasStatus(error, 409) || isConflict(error)) throw error;
    });
    return { name: event.metadata.name, namespace, count: 1 };
  }

  async function repeat(series: Series): Promise<Series> {
    series.count++;
    const target = { resource: resources.events, namespace: series.namespace, name: series.name };
    const patch = { series: { count: series.count, lastObservedTime: microTime(clock.now()) } };
    await retried(() => api.patch(target, patch));
    return series;
  }

  return (wanted) => {
    const event = { ...wanted, note: wanted.note.slice(0, longestNote) };
    const key = JSON.stringify([event.regarding.metadata.uid, event.type, event.reason, event.note]);
    const before = seen.get(key);
    // An Event lives for an hour: what comes later is a new one.
    const written = before
      ? before.then(repeat).catch((error: unknown) => {
          if (!hasStatus(error, 404)) throw error;
          return create(event);
        })
      : create(event);
    seen.delete(key);
    seen.set(key, written);
    written.catch((error: unknown) => {
      seen.delete(key);
      onError(error);
    });
    const [oldest] = seen.keys();
    if (seen.size > mostRemembered && oldest !== undefined) seen.delete(oldest);
  };
}
