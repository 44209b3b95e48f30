/** Events as `kubectl describe` shows them: what repeats is counted in one Event, as client-go's recorder does. */
import { hasStatus, type KubernetesApi } from './api.ts';
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
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
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

/** Events are not waited for: one that cannot be written is reported to `onError` and dropped. */
export function createEventRecorder({ api, instance, onError, now = Date.now }: EventOptions): RecordEvent {
  const seen = new Map<string, Promise<Series>>();
  let number = 0;

  async function create({ regarding, type, reason, action, note }: NewEvent): Promise<Series> {
    const { namespace = 'default', name, uid } = regarding.metadata;
    const time = now();
    const event = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: {
        namespace,
        name: `${name}.${time.toString(16)}${(number++).toString(16).padStart(4, '0')}`,
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
    await api.create(event);
    return { name: event.metadata.name, namespace, count: 1 };
  }

  async function repeat(series: Series): Promise<Series> {
    series.count++;
    const target = { resource: resources.events, namespace: series.namespace, name: series.name };
    await api.patch(target, { series: { count: series.count, lastObservedTime: microTime(now()) } });
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
