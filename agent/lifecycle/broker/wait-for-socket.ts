/** Waits for a local socket that accepts connections: retries when its directory changes, and with backoff. */
import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The backoff between two attempts. */
export const retryMs = { least: 10, most: 500 };

export interface WaitOptions<Found> {
  /** One attempt at one of the paths; it throws where it fails. */
  readonly attempt: (path: string) => Promise<Found>;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Called when the attempts at all paths have failed, with the reasons in the order of the paths. */
  readonly onMissing?: (reasons: readonly unknown[]) => void;
}

/** The result of the first attempt that succeeds. Undefined when `signal` aborts before. */
export async function waitForSocket<Found>(
  paths: readonly string[],
  { attempt, signal, onMissing = () => undefined }: WaitOptions<Found>,
): Promise<Found | undefined> {
  const change = new EventTarget();
  const onChange = () => change.dispatchEvent(new Event('change'));
  const directories = new Set(paths.map((path) => dirname(path)));
  const watchers = [...directories].map((directory) => watchDirectory(directory, onChange));
  try {
    for (let pauseMs = retryMs.least; !signal.aborted; pauseMs = Math.min(retryMs.most, pauseMs * 2)) {
      const reasons: unknown[] = [];
      for (const path of paths) {
        try {
          return await attempt(path);
        } catch (reason) {
          if (signal.aborted) return undefined;
          reasons.push(reason);
        }
      }
      onMissing(reasons);
      await somethingOrLater(change, pauseMs, signal);
    }
    return undefined;
  } finally {
    for (const watcher of watchers) watcher?.close();
  }
}

/** Undefined where there is no such directory, or the kernel has no more watches to give (inotify(7): max_user_instances are of all pods of a user on a node). */
function watchDirectory(directory: string, onChange: () => void): FSWatcher | undefined {
  try {
    return watch(directory, onChange).on('error', () => undefined);
  } catch {
    return undefined;
  }
}

async function somethingOrLater(change: EventTarget, pauseMs: number, signal: AbortSignal): Promise<void> {
  const changed = new AbortController();
  const wake = () => changed.abort();
  change.addEventListener('change', wake, { once: true });
  await delay(pauseMs, undefined, { signal: AbortSignal.any([signal, changed.signal]) }).catch(
    () => undefined,
  );
  change.removeEventListener('change', wake);
}
