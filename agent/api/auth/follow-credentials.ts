/**
 * Follows the mounted tokens and certificate while the API runs. A token that is removed from the Secret is refused; while the Secret
 * cannot be used every client is refused, with the reason in the log, in the readiness probe and in /status.
 */
import { isDeepStrictEqual } from 'node:util';
import type { PodStateWriter } from '../../health/pod-state.ts';
import type { Log } from '../../log.ts';
import { pollMs, type WatchPaths, watchMounted } from '../../watch-mounted.ts';
import { type CredentialSources, type Credentials, readCredentialsAgain } from './credentials.ts';

export interface FollowOptions {
  readonly sources: CredentialSources;
  /** As they were read when the pod started. */
  readonly credentials: Credentials;
  /** Called with the new credentials after every change. */
  readonly onChange: (credentials: Credentials) => void;
  readonly podState: PodStateWriter;
  readonly log: Log;
  /** For tests. */
  readonly watchPaths?: WatchPaths;
}

export interface FollowedCredentials {
  readonly now: () => Credentials;
  readonly close: () => void;
}

export function followCredentials(options: FollowOptions): FollowedCredentials {
  const { sources, podState, log, watchPaths } = options;
  const paths = [sources.apiTokens, sources.apiTlsCert, sources.apiTlsKey].filter(
    (path) => path !== undefined,
  );
  let credentials = options.credentials;
  const onChange = () => {
    const before = credentials;
    credentials = readCredentialsAgain(sources, before);
    if (isDeepStrictEqual(credentials, before)) return;
    report(before, credentials, podState, log);
    options.onChange(credentials);
  };
  const onBlind = (why: unknown) =>
    log('warn', `Cannot watch ${paths.join(', ')}: polling every ${pollMs / 1000} s`, { why: String(why) });
  const unwatch = paths.length > 0 ? watchMounted(paths, { onChange, onBlind }, watchPaths) : undefined;
  return { now: () => credentials, close: () => void unwatch?.() };
}

function report(before: Credentials, after: Credentials, podState: PodStateWriter, log: Log): void {
  const { tokenFault, tlsFault, tokens } = after;
  podState.set({ apiFault: tokenFault });
  const warn = (level: 'error' | 'warn' | 'info', what: string) => {
    log(level, what);
    podState.warn(what);
  };
  if (tokenFault !== before.tokenFault && tokenFault !== undefined)
    warn('error', `The API refuses every client: ${tokenFault}`);
  if (before.tokenFault !== undefined && tokenFault === undefined)
    warn('info', 'The API reads its tokens again, and admits clients that have one');
  if (tlsFault !== before.tlsFault && tlsFault !== undefined)
    warn('warn', `The API keeps the certificate that it had: ${tlsFault}`);
  if (before.tlsFault !== undefined && tlsFault === undefined)
    warn('info', 'The API reads its certificate again');
  if (tokenFault !== undefined) return;
  log('info', 'The API uses the tokens and certificates as they are now', {
    tokens: tokens?.map(({ id, role }) => `${role} ${id}`),
  });
}
