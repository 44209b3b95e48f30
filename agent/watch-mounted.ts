/**
 * Watches files that are mounted into the pod: Secrets and ConfigMaps. The kubelet changes all files of a mount at once, by swapping its
 * symlink `..data` (pkg/volume/util/atomic_writer.go), which is several events; and a directory may be replaced as a whole.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { watch } from 'chokidar';
import { errnoOf } from './errors.ts';

export interface MountHandlers {
  /** The content at or directly below the paths is new: called once at the start, and after each change. */
  readonly onChange: () => void;
  /** The node has no inotify instances or watches left (inotify(7)): changes are found by polling, `pollMs` late at most. */
  readonly onBlind: (why: unknown) => void;
}

/** Begins to watch what is at and directly below `paths`. Returns the end of it. Replaced in tests. */
export type WatchPaths = (paths: readonly string[], handlers: WatchHandlers) => () => Promise<void>;

export interface WatchHandlers {
  readonly onEvent: () => void;
  /** The watch has begun; changes before that gave no event. */
  readonly onReady: () => void;
  readonly onError: (why: unknown) => void;
}

/** Files are read when there has been no event for so long. */
const settleMs = 200;
/** A writer that never pauses delays the reading no longer than this. */
const longestSettleMs = 2000;
/** Interval of polling, which happens only without inotify and while a path does not exist. */
export const pollMs = 2000;

/** Returns the end of the watch. */
export function watchMounted(
  paths: readonly string[],
  { onChange, onBlind }: MountHandlers,
  watchPaths: WatchPaths = watchByInotify,
): () => Promise<void> {
  let isBlind = false;
  let polling: NodeJS.Timeout | undefined;
  let settling: NodeJS.Timeout | undefined;
  let firstEventAt = 0;
  let seen: string | undefined;
  let unwatch = async () => {};

  const read = () => {
    poll(isBlind || !paths.every((path) => existsSync(path)));
    const content = digestOf(paths);
    if (content === seen) return;
    seen = content;
    onChange();
  };
  const poll = (isNeeded: boolean) => {
    if (isNeeded) polling ??= setInterval(readAndWatch, pollMs);
    else clearInterval(polling);
    if (!isNeeded) polling = undefined;
  };
  const onEvent = () => {
    if (!settling) firstEventAt = performance.now();
    clearTimeout(settling);
    const left = Math.max(0, firstEventAt + longestSettleMs - performance.now());
    settling = setTimeout(readAndWatch, Math.min(settleMs, left));
  };
  /** Watches anew: the directory that was watched may have been replaced by another of its name. */
  const readAndWatch = () => {
    clearTimeout(settling);
    settling = undefined;
    read();
    void unwatch();
    open();
  };
  const onError = (why: unknown) => {
    if (!isBlind) onBlind(why);
    isBlind = true;
    poll(true);
  };
  const open = () => {
    unwatch = isBlind ? async () => {} : watchPaths(paths, { onEvent, onReady: read, onError });
  };
  open();
  read();
  return async () => {
    clearTimeout(settling);
    clearInterval(polling);
    await unwatch();
  };
}

const watchByInotify: WatchPaths = (paths, { onEvent, onReady, onError }) => {
  const watcher = watch([...paths], { ignoreInitial: true, depth: 1 });
  watcher.on('all', onEvent).on('ready', onReady).on('error', onError);
  return () => {
    watcher.removeAllListeners().on('error', () => undefined);
    return watcher.close();
  };
};

/** Of the files' names, modes and contents: a digest, since a Secret must not stay in memory. */
function digestOf(paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of paths.flatMap(filesAt)) hash.update(`${path}\0`).update(contentOf(path)).update('\0');
  return hash.digest('base64');
}

function filesAt(path: string): string[] {
  try {
    return readdirSync(path)
      .sort()
      .map((name) => join(path, name));
  } catch {
    return [path];
  }
}

/** With the mode; the error of a file that cannot be read. */
function contentOf(path: string): Buffer {
  try {
    return Buffer.concat([Buffer.from(`${statSync(path).mode}\0`), readFileSync(path)]);
  } catch (error) {
    return Buffer.from(errnoOf(error) ?? String(error));
  }
}
