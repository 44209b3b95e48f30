import { setTimeout as delay } from 'node:timers/promises';
import type { HostPort } from '../config/kinds.ts';
import type { Observations } from '../health/observations.ts';
import { instant } from '../instant.ts';
import type { LifelineMessage } from '../lifeline/message.ts';
import { findParent } from './find-parent.ts';
import { followerOutcome, type Outcome, toldOutcome, unknownOutcome } from './outcome.ts';
import { type Tending, tendBroker } from './tend.ts';
import type { FindParent } from './watch-parent.ts';

/** A broker that lived this long had joined: its end is a new story, and the pauses start small again. */
const settledMs = 10_000;
/** A leader tells the outcome as soon as its broker has ended, which is a little after its followers' brokers. */
const outcomeWithinMs = 30_000;
/** Where the outcome is there and the broker is not gone: the leader's broker has died rather than shut down. */
const lingerMs = 3000;

/**
 * A follower's life: await the parent, start the broker with the parent's verified address, and when its parent went, await it
 * again. Ends with the outcome of the instance, or by a signal.
 */
export async function followParent(tending: Tending): Promise<Outcome> {
  const { pod, signals, lifecycle, observations, reporting, log } = tending;
  const { membership, environment } = pod;
  const { parent } = membership;
  if (!parent) throw new Error('rank 0 follows nobody');
  const find: FindParent = (signal, seen) =>
    findParent({ parent, membership, observations, environment, ...seen, signal, log });
  const { pauseMs } = await import('../dns/pace.ts');
  let known: HostPort | undefined;
  for (let attempt = 0; ; attempt++) {
    lifecycle.enter('await-parent', { parent: parent.target.host, port: parent.target.port });
    await log.open();
    void reporting.serve(pod.directory.agentSocket);
    const { host, port, ...cost } = known ?? (await find(signals.stop));
    log('info', `The parent ${parent.host} listens at ${host}:${port}`, cost);
    const startedAt = instant();
    const life = await liveUnder({ host, port }, find, tending);
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
async function liveUnder(address: HostPort, find: FindParent, tending: Tending): Promise<Life> {
  const { pod, signals, observations, reporting, log } = tending;
  observations.parentAddress = address;
  pod.writeBrokerToml(address);
  const told = Promise.withResolvers<Outcome>();
  const parentStops = Promise.withResolvers<void>();
  const over = new AbortController();
  const broker = await tendBroker(tending, parentStops.promise);
  let replacedBy: HostPort | undefined;
  let parentIsStopped = false;

  const onMessage = (message: LifelineMessage) => {
    if (message.kind === 'hello') return;
    reporting.lifelines()?.announce(message);
    if (message.kind === 'stopping') {
      parentIsStopped = true;
      return parentStops.resolve();
    }
    told.resolve(toldOutcome(message));
    void delay(lingerMs, undefined, { signal: over.signal })
      .then(broker.process.kill)
      .catch(() => undefined);
  };
  const [{ watchParent }, seal] = await Promise.all([import('./watch-parent.ts'), pod.seal()]);
  const watching = watchParent({ address, observations, seal, signal: over.signal, find, onMessage, log })
    .then((found) => {
      if (!found) return;
      replacedBy = found;
      log('warn', 'Another broker has taken the place of the parent: this one is started anew to join it', {
        parent: found.host,
      });
      broker.process.kill();
    })
    .catch((error: unknown) => log('error', 'The parent is no longer watched', { why: String(error) }));

  const { code, signal } = await broker.ended;
  const ended = followerOutcome({ code, signal }, signals.stoppedBy());
  // A parent that was stopped or replaced is no end of the instance: this pod waits for the one that takes its place.
  const goesOn = !signals.stoppedBy() && (parentIsStopped || replacedBy !== undefined);
  const outcome = goesOn ? undefined : await outcomeOf(ended);
  over.abort();
  await watching;
  if (!outcome) reporting.lifelines()?.interrupt();
  return { code, outcome, replacedBy };

  async function outcomeOf(known: Outcome | undefined): Promise<Outcome | undefined> {
    if (signals.stoppedBy()) return known;
    return known ? learn(told.promise, observations) : soon(told.promise);
  }
}

/** The outcome, when its line has come or is about to. */
const soon = (told: Promise<Outcome>): Promise<Outcome | undefined> =>
  Promise.race([told, delay(100, undefined)]);

/** Waits for the outcome of an instance that has ended in order. */
async function learn(told: Promise<Outcome>, { configuration }: Observations): Promise<Outcome> {
  if (configuration.http === 'off') return unknownOutcome('FLUX_POD_HTTP is off', 0);
  return Promise.race([
    told,
    delay(outcomeWithinMs, unknownOutcome('the leader has not told it'), { ref: false }),
  ]);
}
