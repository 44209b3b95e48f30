/** dist/controller.cjs: the controller, for `flux-pod controller` to load. Nothing of it is in flux-pod.cjs. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import type { KubeConfig } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { ExitCode, messageOf } from '../agent/errors.ts';
import { createLog, type LogOptions } from '../agent/log.ts';
import { createMetrics, type MetricSources } from './controller-metrics.ts';
import { controllerNameFor, manifestsForOne, type OneMiniCluster } from './install/manifests-for-one.ts';
import { systemClock, within } from './kubernetes/controller-clock.ts';
import { createEventRecorder } from './kubernetes/events.ts';
import { httpApi } from './kubernetes/http-api.ts';
import { loadKubeConfig } from './kubernetes/kubeconfig.ts';
import { electLeader } from './kubernetes/leader-election.ts';
import { type RenderingDefaults, renderingOptions } from './reconcile/rendering-options.ts';
import { controllerName } from './render/reserved/names.ts';
import { runController } from './run-controller.ts';
import { readSeed } from './seed.ts';
import { serve } from './serve-probes.ts';

export interface ControllerRequest
  extends Pick<LogOptions, 'level' | 'format'>,
    Omit<RenderingDefaults, 'seed' | 'controllerNamespace'> {
  /** Undefined: all namespaces. */
  readonly namespaces: readonly string[] | undefined;
  /** The only one, in the only namespace. */
  readonly miniCluster: string | undefined;
  readonly leaderElection: boolean;
  readonly http: { readonly host: string; readonly port: number };
  readonly cleanupSeconds: number;
  readonly signal: AbortSignal;
}

export interface ControllerBundle {
  /** Resolves to the exit code when `signal` has aborted and all work has ended. */
  readonly controller: (request: ControllerRequest) => Promise<number>;
  /** What is applied to install a controller of one MiniCluster, as YAML. */
  readonly manifestForOne: (values: OneMiniCluster) => string;
}

/** https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ */
const namespaceFile = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';
const leaseNameOf = ({ miniCluster }: ControllerRequest): string =>
  miniCluster === undefined ? controllerName : controllerNameFor(miniCluster);

export const controller: ControllerBundle['controller'] = async (request) => {
  // What is live of 1,000 MiniClusters is 54 MB; V8 would let the heap grow to 190 before it collects what they have left.
  setFlagsFromString('--optimize-for-size');
  const { signal, level, format, installer, viewImage, user, extras } = request;
  const identity = `${hostname()}_${process.pid}`;
  const log = createLog({ level, format, base: { pod: hostname() } });
  await log.open();
  const { config, namespace, ownNamespace } = loadConfig();
  const api = httpApi(config);
  const onError = (error: unknown) =>
    log('warn', 'A request to the API server has failed', { error: messageOf(error) });
  let sources: MetricSources | undefined;
  let isCandidate = false;
  const metrics = createMetrics({
    depth: () => sources?.depth() ?? 0,
    conditions: () => sources?.conditions() ?? new Map(),
  });
  await using _ = await serve({
    ...request.http,
    // A replica that waits for the lease is ready as well: nothing is asked of it.
    isReady: () => isCandidate || sources !== undefined,
    metrics,
  });
  // The kubelet asks meanwhile: an API server that is slow to answer is no reason to kill this process.
  const seed = await within(systemClock, Number.POSITIVE_INFINITY, readSeed(api, namespace), signal);
  if (!seed) return 0;
  isCandidate = request.leaderElection;
  const lead = (leading: AbortSignal) =>
    runController({
      api,
      record: createEventRecorder({ api, instance: identity, onError }),
      namespaces: request.namespaces,
      miniCluster: request.miniCluster,
      signal: leading,
      cleanupMs: request.cleanupSeconds * 1000,
      links: { holder: identity },
      onReconciled: metrics.reconciled,
      onSynced: (synced) => {
        sources = synced;
      },
      log: {
        info: (fields, message) => log('info', message, { ...fields }),
        warn: (fields, message) => log('warn', message, readable(fields)),
      },
      renderOptions: renderingOptions({
        installer,
        viewImage,
        seed,
        user,
        extras,
        controllerNamespace: ownNamespace,
      }),
    });
  if (request.leaderElection)
    await electLeader({ api, namespace, name: leaseNameOf(request), identity, lead, onError, signal });
  else await lead(signal);
  if (signal.aborted) return 0;
  log('error', 'The lease was lost: another replica may lead now');
  return ExitCode.internal;
};

export const manifestForOne: ControllerBundle['manifestForOne'] = (values) =>
  manifestsForOne(values)
    .map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join('---\n');

const readable = (fields: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? messageOf(value) : value]),
  );

interface Connection {
  readonly config: KubeConfig;
  readonly namespace: string;
  /** Of this pod; undefined outside of a cluster. */
  readonly ownNamespace: string | undefined;
}

function loadConfig(): Connection {
  const config = loadKubeConfig();
  const context = config.getContextObject(config.getCurrentContext());
  const ownNamespace = readNamespace();
  return { config, namespace: ownNamespace ?? context?.namespace ?? 'default', ownNamespace };
}

function readNamespace(): string | undefined {
  try {
    return readFileSync(namespaceFile, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
