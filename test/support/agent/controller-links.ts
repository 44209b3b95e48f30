import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createControllerLinks } from '../../../agent/controller-link/leader-end.ts';
import type { InstanceFacts, Report } from '../../../agent/controller-link/report.ts';
import { controllerKey } from '../../../agent/link/key.ts';
import type { OpenLink } from '../../../agent/link/open-link.ts';
import {
  type ControllerLinkOptions,
  openControllerLink,
} from '../../../controller/leader-link/controller-end.ts';
import { type Listening, listening, patient, secretKey } from './parent-links.ts';

export const miniClusterName = { namespace: 'default', cluster: 'mc' };
export const key = controllerKey(secretKey, miniClusterName);

export interface StartedLeader extends Listening {
  /** What Flux says; nobody hears it while no link is open. */
  readonly change: (facts: Partial<InstanceFacts>) => void;
  /** How often the instance began to be watched. */
  readonly watches: () => number;
  readonly isWatched: () => boolean;
  /** The sizes that controllers have asked for. */
  readonly kept: readonly number[];
  readonly serve: (request: IncomingMessage, response: ServerResponse) => void;
}

export interface LeaderOptions {
  /** Any, unless given. */
  readonly port?: number;
  readonly key?: Buffer;
  /** What Flux says at once. */
  readonly facts?: Partial<InstanceFacts>;
  readonly times?: { readonly betweenMs: number; readonly firstMs: number };
  /** True, unless given. */
  readonly isElastic?: boolean;
}

/** However busy the machine is: a report waits for job states that come, and none follows within a test unless it asks for that. */
const usualTimes = { betweenMs: 1, firstMs: 60_000 };

/** A leader's agent, as far as the links of controllers go. */
export async function startLeader(options: LeaderOptions = {}): Promise<StartedLeader> {
  const { facts = {}, times = usualTimes, isElastic = true } = options;
  const kept: number[] = [];
  let watches = 0;
  let hear: ((facts: Partial<InstanceFacts>) => void) | undefined;
  const extension = createControllerLinks({
    key: options.key ?? key,
    size: 4,
    times,
    keep: isElastic ? (size) => kept.push(size) : undefined,
    watch: (onChange, signal) => {
      watches++;
      hear = onChange;
      signal.addEventListener('abort', () => {
        if (hear === onChange) hear = undefined;
      });
      onChange(facts);
    },
  });
  const serve = (request: IncomingMessage, response: ServerResponse) => {
    if (!extension(request, response, () => undefined)) response.writeHead(404).end();
  };
  const server = createServer(serve);
  return {
    ...(await listening(server, options.port)),
    change: (more) => hear?.(more),
    watches: () => watches,
    isWatched: () => hear !== undefined,
    kept,
    serve,
  };
}

export const openLink = (leader: { host: string; port: number }, options: Partial<ControllerLinkOptions>) =>
  openControllerLink(
    { host: leader.host, port: leader.port },
    {
      key,
      holder: 'controller-1',
      signal: new AbortController().signal,
      onReport: () => undefined,
      deadlines: patient,
      ...options,
    },
  );

/** A link that is there, and the reports that have come over it. */
export async function reportsOf(
  leader: { host: string; port: number },
  options: Partial<ControllerLinkOptions> = {},
): Promise<OpenLink & { readonly reports: Report[] }> {
  const reports: Report[] = [];
  const link = await openLink(leader, { onReport: (report) => reports.push(report), ...options });
  if (typeof link === 'string') throw new Error(`no link: ${link}`);
  return { ...link, reports };
}

export const jobs = (running: number, inactive = 0, pending = 0) => ({ pending, running, inactive });
