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
  /** Events that are written at the same time. */
  readonly writers?: number;
  /** Events that wait to be written. Of more than these the oldest is dropped. */
  readonly mostWaiting?: number;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** Bytes: events.k8s.io/v1 refuses longer ones (kubernetes pkg/apis/core/validation/events.go, NoteLengthLimit, by Go's len). */
const longestNote = 1024;
/** Events that are remembered, so that what repeats is counted. */
const mostRemembered = 4096;

/** One Event, and how often it happened. */
interface Series {
  readonly key: string;
  readonly event: NewEvent;
  name: string;
  /** Milliseconds since the epoch. */
  first: number;
  last: number;
  count: number;
  /** How much of the count is known to the API server; 0: the Event is to be created. */
  written: number;
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
  writers = 8,
  mostWaiting = 1000,
  clock = systemClock,
  random = Math.random,
}: EventOptions): RecordEvent {
  const seen = new Map<string, Series>();
  const waiting = new Set<Series>();
  const underWay = new Set<Series>();
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

  const freshName = ({ regarding }: NewEvent, time: number): string =>
    `${regarding.metadata.name}.${time.toString(16)}${(number++).toString(16).padStart(4, '0')}${suffix}`;

  async function create({ event, name: eventName, first }: Series): Promise<void> {
    const { regarding, type, reason, action, note } = event;
    const { namespace = 'default', name, uid } = regarding.metadata;
    const created = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { namespace, name: eventName },
      eventTime: microTime(first),
      reportingController: 'flux-pod/controller',
      reportingInstance: instance,
      action,
      reason,
      type,
      note,
      regarding: { apiVersion: regarding.apiVersion, kind: regarding.kind, namespace, name, uid },
    };
    await retried(() => api.create(created)).catch((error: unknown) => {
      // It was written, and the answer lost: the name is this process's own.
      if (!hasStatus(error, 409) || isConflict(error)) throw error;
    });
  }

  async function repeat({ event, name, count, last }: Series): Promise<void> {
    const { namespace = 'default' } = event.regarding.metadata;
    const patch = { series: { count, lastObservedTime: microTime(last) } };
    await retried(() => api.patch({ resource: resources.events, namespace, name }, patch));
  }

  /** What comes after an Event that is no longer there, or could not be written, is a new one. */
  function renew(series: Series, count: number): void {
    Object.assign(series, { count, written: 0, first: series.last });
    series.name = freshName(series.event, series.first);
  }

  async function write(series: Series): Promise<void> {
    const { count } = series;
    try {
      await (series.written === 0 ? create(series) : repeat(series));
      series.written = series.written === 0 ? 1 : count;
    } catch (error) {
      // An Event lives for an hour.
      const isGone = series.written > 0 && hasStatus(error, 404);
      if (!isGone) onError(error);
      renew(series, series.count - (isGone ? series.written : count));
    }
  }

  function start(): void {
    for (const series of waiting) {
      if (underWay.size >= writers) return;
      waiting.delete(series);
      underWay.add(series);
      void write(series).then(() => {
        underWay.delete(series);
        if (series.written < series.count) waiting.add(series);
        if (series.count === 0) forget(series);
        start();
      });
    }
  }

  function forget(series: Series): void {
    if (seen.get(series.key) === series) seen.delete(series.key);
  }

  function dropOldest(): void {
    const [oldest] = waiting;
    if (waiting.size <= mostWaiting || !oldest) return;
    waiting.delete(oldest);
    forget(oldest);
    const { reason, regarding } = oldest.event;
    onError(new Error(`An Event ${reason} of ${regarding.metadata.name} is dropped: too many wait.`));
  }

  return (wanted) => {
    const event = { ...wanted, note: inBytes(wanted.note, longestNote) };
    const key = JSON.stringify([event.regarding.metadata.uid, event.type, event.reason, event.note]);
    const time = clock.now();
    const series = seen.get(key) ?? {
      ...{ key, event, name: freshName(event, time), first: time, last: time, count: 0, written: 0 },
    };
    series.count++;
    series.last = time;
    seen.delete(key);
    seen.set(key, series);
    const [oldest] = seen.keys();
    if (seen.size > mostRemembered && oldest !== undefined) seen.delete(oldest);
    if (!underWay.has(series)) waiting.add(series);
    start();
    dropOldest();
  };
}

/** The beginning of `text` that has at most so many bytes in UTF-8, and no part of a character. */
function inBytes(text: string, most: number): string {
  const bytes = Buffer.from(text);
  let end = Math.min(most, bytes.length);
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}
