/** Waits for something to be there at a path, such as a socket that takes connections: tried when it may have come, and with growing pauses. */
import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Tried again when a path's directory changes, and in any case within this. */
export const retryMs = { least: 10, most: 500 };

export interface WhenThereOptions<Found> {
  /** One try at one of the paths; it throws where there is nothing yet. */
  readonly attempt: (path: string) => Promise<Found>;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Called when no path had it, with why, in the order of the paths. */
  readonly onMissing?: (reasons: readonly unknown[]) => void;
}

/** What the first attempt that succeeds has found. Undefined when `signal` came first. */
export async function whenThere<Found>(
  paths: readonly string[],
  { attempt, signal, onMissing = () => undefined }: WhenThereOptions<Found>,
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
