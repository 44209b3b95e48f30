/**
 * Follows the mounted tokens and certificate while the API runs. A token that is not in the Secret any more is refused; where the Secret
 * cannot be used, all are, and the log, the readiness probe and /status say so until it can.
 */
import { isDeepStrictEqual } from 'node:util';
import { watch } from 'chokidar';
import type { PodStateWriter } from '../health/pod-state.ts';
import type { Log } from '../log.ts';
import { type CredentialSources, type Credentials, readCredentialsAgain } from './credentials.ts';

export interface FollowOptions {
  readonly sources: CredentialSources;
  /** As they were read when the pod began. */
  readonly credentials: Credentials;
  /** Told of every change. */
  readonly onChange: (credentials: Credentials) => void;
  readonly podState: PodStateWriter;
  readonly log: Log;
  /** For tests. */
  readonly watchPaths?: WatchPaths;
}

export interface WatchHandlers {
  readonly onEvent: () => void;
  /** It watches; what has changed before was not noticed. */
  readonly onReady: () => void;
  /** It can no longer watch. */
  readonly onBlind: (why: unknown) => void;
}

/** Watches what is at and directly below `paths`. Returns what ends it. */
export type WatchPaths = (paths: string[], handlers: WatchHandlers) => () => void;

export interface FollowedCredentials {
  readonly now: () => Credentials;
  readonly close: () => void;
}

/** The kubelet swaps all files of a mount at once, and says so more than once: they are read when it has been quiet for as long. */
const settleMs = 200;
/** Somebody who writes without a pause delays it no longer than that. */
const mostSettleMs = 2000;
/** How often is looked where nothing tells of changes, and while something is wrong. */
const lookMs = 2000;

export function followCredentials(options: FollowOptions): FollowedCredentials {
  const { sources, podState, log, onChange, watchPaths = watchByEvents } = options;
  const paths = [sources.apiTokens, sources.apiTlsCert, sources.apiTlsKey].filter(
    (path) => path !== undefined,
  );
  let credentials = options.credentials;
  let blind = false;
  let looking: NodeJS.Timeout | undefined;
  let settling: NodeJS.Timeout | undefined;
  let firstEventAt = 0;
  let unwatch = () => {};

  const read = () => {
    const before = credentials;
    credentials = readCredentialsAgain(sources, before);
    look(blind || credentials.tokenFault !== undefined || credentials.tlsFault !== undefined);
    if (isDeepStrictEqual(credentials, before)) return;
    report(before, credentials, podState, log);
    onChange(credentials);
  };
  const look = (wanted: boolean) => {
    if (wanted) looking ??= setInterval(readAndWatch, lookMs);
    else clearInterval(looking);
    if (!wanted) looking = undefined;
  };
  const onEvent = () => {
    if (!settling) firstEventAt = performance.now();
    clearTimeout(settling);
    const left = Math.max(0, firstEventAt + mostSettleMs - performance.now());
    settling = setTimeout(readAndWatch, Math.min(settleMs, left));
  };
  /** A directory that was put in the place of the watched one would not be watched. */
  const readAndWatch = () => {
    clearTimeout(settling);
    settling = undefined;
    read();
    unwatch();
    open();
  };
  const onBlind = (why: unknown) => {
    if (!blind)
      log('warn', `Cannot watch ${paths.join(', ')}: looking every ${lookMs / 1000} s`, { why: String(why) });
    blind = true;
    look(true);
  };
  const open = () => {
    unwatch = blind ? () => {} : watchPaths(paths, { onEvent, onReady: read, onBlind });
  };
  if (paths.length > 0) {
    open();
    read();
  }
  return {
    now: () => credentials,
    close: () => {
      unwatch();
      clearTimeout(settling);
      clearInterval(looking);
    },
  };
}

function report(before: Credentials, after: Credentials, podState: PodStateWriter, log: Log): void {
  const { tokenFault, tlsFault, tokens } = after;
  podState.set({ apiFault: tokenFault });
  const remark = (level: 'error' | 'warn' | 'info', what: string) => {
    log(level, what);
    podState.warn(what);
  };
  if (tokenFault !== before.tokenFault && tokenFault !== undefined)
    remark('error', `The API refuses every client: ${tokenFault}`);
  if (before.tokenFault !== undefined && tokenFault === undefined)
    remark('info', 'The API reads its tokens again, and admits clients that have one');
  if (tlsFault !== before.tlsFault && tlsFault !== undefined)
    remark('warn', `The API keeps the certificate that it had: ${tlsFault}`);
  if (before.tlsFault !== undefined && tlsFault === undefined)
    remark('info', 'The API reads its certificate again');
  if (tokenFault !== undefined) return;
  log('info', 'The API uses the tokens and certificates as they are now', {
    tokens: tokens?.map(({ id, role }) => `${role} ${id}`),
  });
}

const watchByEvents: WatchPaths = (paths, { onEvent, onReady, onBlind }) => {
  const watcher = watch(paths, { ignoreInitial: true, depth: 1 });
  watcher.on('all', onEvent).on('ready', onReady).on('error', onBlind);
  return () => {
    watcher.removeAllListeners().on('error', () => undefined);
    void watcher.close();
  };
};
