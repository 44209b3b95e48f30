/** One leader among replicas, by a Lease (client-go tools/leaderelection). */
import { hasStatus, type KubernetesApi, type Target } from './api.ts';
import { type Clock, pause, systemClock, within } from './controller-clock.ts';
import { microTime } from './micro-time.ts';
import { apiVersionOf, resources } from './resources.ts';

/**
 * A leader that could not renew for `renewMs` stops before another one takes over. That one sees a renewal up to `retryMs` late, and an expiry as
 * late again: after a crash it takes over within `durationMs` + 2 `retryMs`, with client-go's defaults (15, 10 and 2 s) 19 s. Milliseconds.
 */
export const leaseTimes = { durationMs: 11_000, renewMs: 7_500, retryMs: 1_500 };

export interface ElectionOptions {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly name: string;
  /** Names this replica; unique. */
  readonly identity: string;
  /** While this replica leads; its signal aborts when it no longer does. */
  readonly lead: (signal: AbortSignal) => Promise<void>;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
  readonly times?: typeof leaseTimes;
  readonly clock?: Clock;
}

interface Lease {
  readonly metadata: { readonly resourceVersion?: string };
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly renewTime?: string;
    readonly acquireTime?: string;
    readonly leaseTransitions?: number;
  };
}

/** Resolves when `signal` aborts, after the lease was given back, or when the lease was lost and `lead` has ended. */
export async function electLeader(options: ElectionOptions): Promise<void> {
  const { signal, lead, times = leaseTimes, clock = systemClock } = options;
  const { monotonic } = clock;
  const claim = createClaim(options, times, clock);
  // A lease is renewed as of the moment in which that was asked for: one whose answer comes too late is asked for anew.
  let renewed = monotonic();
  while (!((await claim.attempt()) && monotonic() - renewed < times.renewMs) && !signal.aborted) {
    await pause(clock, times.retryMs, signal);
    if (signal.aborted) break;
    renewed = monotonic();
  }
  // It may have been taken meanwhile, also where no answer has said so.
  if (signal.aborted) return claim.release();
  const lost = new AbortController();
  const leading = lead(AbortSignal.any([signal, lost.signal]));
  let ended = false;
  const over = leading.finally(() => {
    ended = true;
  });
  over.catch(() => undefined);
  let isLost = false;
  let renewal: Promise<boolean> = Promise.resolve(true);
  while (!signal.aborted && !ended && !isLost) {
    await pause(clock, times.retryMs, signal);
    if (signal.aborted || ended) break;
    const askedAt = monotonic();
    // An API server that does not answer must not make two of one leader.
    const left = renewed + times.renewMs - askedAt;
    renewal = claim.attempt();
    const isRenewed = await within(clock, left, renewal, signal);
    if (isRenewed) renewed = askedAt;
    // A timer may fire a little early: that it has done so is what counts.
    else isLost = !signal.aborted && (isRenewed === undefined || monotonic() - renewed >= times.renewMs);
  }
  lost.abort(new Error('the lease was lost'));
  await leading;
  // Only after the work has ended: the next leader takes over at once.
  if (isLost) return;
  // Nor while a renewal is under way, which would come in between and have the release refused.
  await within(clock, times.renewMs, renewal);
  await claim.release();
}

function createClaim(
  { api, namespace, name, identity, onError }: ElectionOptions,
  { durationMs }: typeof leaseTimes,
  { monotonic, now }: Clock,
) {
  const target: Target = { resource: resources.leases, namespace, name };
  /** What was last seen of another holder, and when by this replica's clock: the clocks of replicas may differ. */
  let seen: { readonly version: string | undefined; readonly at: number } | undefined;

  async function attempt(): Promise<boolean> {
    try {
      return await tryToHold();
    } catch (error) {
      // Another replica was faster.
      if (!hasStatus(error, 409)) onError(error);
      return false;
    }
  }

  async function tryToHold(): Promise<boolean> {
    const lease = (await api.get(target)) as unknown as Lease | undefined;
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: durationMs / 1000,
      renewTime: microTime(now()),
    };
    if (!lease) {
      const apiVersion = apiVersionOf(resources.leases);
      const fresh = { ...spec, acquireTime: microTime(now()), leaseTransitions: 0 };
      await api.create({ apiVersion, kind: 'Lease', metadata: { namespace, name }, ...{ spec: fresh } });
      return true;
    }
    const { resourceVersion } = lease.metadata;
    const { holderIdentity = '', leaseTransitions = 0 } = lease.spec ?? {};
    const isOurs = holderIdentity === identity;
    if (seen?.version !== resourceVersion) seen = { version: resourceVersion, at: monotonic() };
    if (!isOurs && holderIdentity !== '' && monotonic() - (seen?.at ?? 0) < durationMs) return false;
    const taken = isOurs
      ? spec
      : { ...spec, acquireTime: microTime(now()), leaseTransitions: leaseTransitions + 1 };
    await api.patch(target, { metadata: { resourceVersion }, spec: taken });
    return true;
  }

  async function release(): Promise<void> {
    try {
      const lease = (await api.get(target)) as unknown as Lease | undefined;
      if (lease?.spec?.holderIdentity !== identity) return;
      const spec = { holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(now()) };
      await api.patch(target, { metadata: { resourceVersion: lease.metadata.resourceVersion }, spec });
    } catch (error) {
      onError(error);
    }
  }

  return { attempt, release };
}
