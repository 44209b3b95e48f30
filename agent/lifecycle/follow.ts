import { setTimeout as delay } from 'node:timers/promises';
import type { HostPort } from '../address.ts';
import type { Ending } from '../broker/process.ts';
import { instant } from '../instant.ts';
import type { Announcement } from '../parent-link/message.ts';
import { within } from '../within.ts';
import { findParent } from './find-parent.ts';
import { followerOutcome, type Outcome, toldOutcome, unknownOutcome } from './outcome.ts';
import { type Tending, tendBroker } from './tend.ts';
import type { FindParent, ParentWatch } from './watch-parent.ts';

/** A broker that lived this long had joined: its end is a new story, and the pauses start small again. */
const settledMs = 10_000;
/** A leader announces the outcome as soon as its broker has ended, which is a little after its followers' brokers. */
const outcomeWithinMs = 30_000;
/** An outcome that comes with the end of a lost parent's broker is there by then. */
const outcomeIsThereMs = 100;
/** Where the outcome is there and the broker is still running: the leader's broker has died rather than shut down. */
const lingerMs = 3000;
/** A watch ends when it is told to. It has this long, whatever the network does. */
const watchEndsMs = 1000;
/** A pod that waits this long for its parent watches the mounted files meanwhile. */
const watchMountsAfterMs = 1000;

/**
 * A follower's life: await the parent, start the broker with the parent's verified address, and when its parent went, await it
 * again. Ends with the outcome of the instance, or by a signal.
 */
export async function followParent(tending: Tending): Promise<Outcome> {
  const { pod, signals, lifecycle, observations, reporting, reread, log } = tending;
  const { membership, environment } = pod;
  const { parent } = membership;
  if (!parent) throw new Error('rank 0 follows nobody');
  const find: FindParent = (signal, seen) =>
    findParent({ parent, membership, observations, environment, ...seen, signal, log });
  const ranks = { parent: parent.rank, child: membership.rank };
  const { pauseMs } = await import('../dns/pace.ts');
  let known: HostPort | undefined;
  for (let attempt = 0; ; attempt++) {
    lifecycle.enter('await-parent', { parent: parent.target.host, port: parent.target.port });
    await log.open();
    void reporting.serve(pod.directory.agentSocket);
    const watchSoon = setTimeout(() => void reporting.watchMounts(pod, reread), watchMountsAfterMs);
    const seeking = known ? Promise.resolve(known) : find(signals.stop);
    const { host, port, ...cost } = await seeking.finally(() => clearTimeout(watchSoon));
    log('info', `The parent ${parent.host} listens at ${host}:${port}`, cost);
    const startedAt = instant();
    const life = await liveUnder({ host, port }, { find, ranks }, tending);
    if (life.outcome) return life.outcome;
    known = life.replacedBy;
    if (known) continue;
    if (instant() - startedAt > settledMs) attempt = 0;
    log('warn', 'The broker ended before the instance: its parent went, or it could not join', {
      code: life.code,
    });
    await delay(pauseMs(attempt, membership.size), undefined, { signal: signals.stop }).catch(() =>
      signals.stop.throwIfAborted(),
    );
  }
}

interface Life {
  readonly code: number;
  readonly outcome?: Outcome | undefined;
  readonly replacedBy?: HostPort | undefined;
}

/** One broker's life under a parent at this address. */
async function liveUnder(
  address: HostPort,
  parent: Pick<ParentWatch, 'find' | 'ranks'>,
  tending: Tending,
): Promise<Life> {
  const { pod, signals, observations, reporting, log } = tending;
  observations.parentAddress = address;
  pod.writeBrokerToml(address);
  const told = Promise.withResolvers<Outcome>();
  const parentStops = Promise.withResolvers<void>();
  const over = new AbortController();
  const broker = await tendBroker(tending, parentStops.promise);
  let replacedBy: HostPort | undefined;
  let parentIsStopped = false;

  const onMessage = (message: Announcement) => {
    reporting.parentLinks()?.announce(message);
    if (message.kind === 'stopping') {
      parentIsStopped = true;
      return parentStops.resolve();
    }
    told.resolve(toldOutcome(message));
    void delay(lingerMs, undefined, { signal: over.signal })
      .then(broker.process.kill)
      .catch(() => undefined);
  };
  const [{ watchParent }, key] = await Promise.all([import('./watch-parent.ts'), pod.linkKey()]);
  const watching = watchParent({ ...parent, address, observations, key, signal: over.signal, onMessage, log })
    .then((found) => {
      if (!found) return;
      replacedBy = found;
      log('warn', 'Another broker has taken the place of the parent: this one is started anew to join it', {
        parent: found.host,
      });
      broker.process.kill();
    })
    .catch((error: unknown) => log('error', 'The parent is no longer watched', { why: String(error) }));

  const ending = await broker.ended;
  const outcome = await outcomeOf(ending);
  over.abort();
  await within(watchEndsMs, watching);
  if (!outcome) reporting.parentLinks()?.interrupt();
  return { code: ending.code, outcome, replacedBy };

  /** Undefined where the instance goes on without this broker. */
  async function outcomeOf(ending: Ending): Promise<Outcome | undefined> {
    const { stop, stoppedBy } = signals;
    // A parent that was stopped or replaced is no end of the instance: this pod waits for the one that takes its place.
    if (!stoppedBy() && (parentIsStopped || replacedBy)) return undefined;
    const inOrder = followerOutcome(ending, undefined);
    const linked = observations.configuration.http !== 'off';
    const heard = linked && (await within(inOrder ? outcomeWithinMs : outcomeIsThereMs, told.promise, stop));
    if (stoppedBy()) return followerOutcome(ending, stoppedBy());
    if (heard || !inOrder) return heard || undefined;
    return linked ? unknownOutcome('the leader has not told it') : unknownOutcome('FLUX_POD_HTTP is off', 0);
  }
}
