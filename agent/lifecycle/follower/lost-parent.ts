/**
 * How a follower whose broker runs finds out that its parent is lost or replaced. libzmq does not report that a peer is gone: it reconnects for
 * ever to the address that it has. So the agents keep a parent link, and when that breaks, the parent is looked for as at the start. Pure: a
 * part of the follower's machine (follower.ts).
 */
import type { HostPort } from '../../address.ts';
import type { Instant } from '../../clock.ts';
import { withJitter } from '../../dns/wait/backoff.ts';
import type { BrokerState } from '../../flux/services/state-machine.ts';
import { after, type Command, type Deadlines, due, type Event, notDue, type Step } from '../machine.ts';

export interface ParentWatch {
  /** Where the parent was found to listen before the broker was started. */
  readonly address: HostPort;
  /** Of this pod's broker, and since when. */
  readonly broker: { readonly state: BrokerState; readonly since: Instant } | undefined;
  /** The parent's broker process that the last link belonged to. */
  readonly incarnation: string | undefined;
  readonly link: 'attempt' | 'retry' | 'open' | 'broken';
  /** Backoff between attempts to open a link. */
  readonly linkBackoffMs: number;
  /** When the link was opened, and the backoff after it breaks. */
  readonly openedAt: Instant;
  readonly brokenBackoffMs: number;
  readonly search: 'none' | 'attempt' | 'retry';
  readonly searchBackoffMs: number;
  /** The server at the parent's address is not of this instance. */
  readonly isForeign: boolean;
  readonly deadlines: Deadlines;
}

export interface WatchStep {
  readonly watch: ParentWatch;
  readonly commands: readonly Command[];
  /** Where another broker has taken the parent's place, which ours can only join by starting anew. */
  readonly replacedBy?: HostPort;
}

const backoff = { firstMs: 50, mostMs: 1000, growth: 1.5 };
/** The longest backoff towards a parent that is too busy to answer in time, or that still listens where it was: each attempt costs it CPU. */
const busyMostMs = 8000;
/** A link that breaks sooner was not worth opening: the next one waits. */
const briefMs = 5000;
/** A broker that has not joined by then may have been sent to the wrong place. */
const joinWithinMs = 15_000;

const longer = (backoffMs: number, mostMs = backoff.mostMs): number =>
  Math.min(mostMs, Math.max(backoff.firstMs, backoffMs * backoff.growth));

/** When an event happens, and the random number for the jitter of a backoff. */
interface Moment {
  readonly now: Instant;
  readonly random: number;
}
const later = (backoffMs: number, { now, random }: Moment): Instant =>
  now + (backoffMs > backoff.mostMs ? withJitter(backoffMs, random) : backoffMs);

export const beginWatch = (address: HostPort, now: Instant): WatchStep => ({
  watch: {
    address,
    broker: undefined,
    incarnation: undefined,
    link: 'attempt',
    linkBackoffMs: backoff.firstMs,
    openedAt: now,
    brokenBackoffMs: 0,
    search: 'none',
    searchBackoffMs: backoff.firstMs,
    isForeign: false,
    deadlines: {},
  },
  commands: [{ do: 'open link', host: address.host }],
});

const stopWatching: readonly Command[] = [{ do: 'close link' }, { do: 'stop finding' }];

/** What an event shows of the parent while the broker runs and after; `then` where another broker has taken its place. */
export function watchParent<L extends { readonly watch: ParentWatch }, State>(
  life: L,
  event: Event,
  at: Moment,
  then: (life: L & { readonly replacedBy: HostPort }) => Step<State>,
): Step<L | State> {
  const { watch, commands, replacedBy } = nextWatch(life.watch, event, at);
  if (!replacedBy) return { state: { ...life, watch }, commands };
  const sentence = 'Another broker has taken the place of the parent: this one is started anew to join it';
  return after(
    [...stopWatching, { do: 'log', level: 'warn', sentence, facts: { parent: replacedBy.host } }],
    then({ ...life, watch: { ...watch, deadlines: {} }, replacedBy }),
  );
}

function nextWatch(watch: ParentWatch, event: Event, at: Moment): WatchStep {
  const { now } = at;
  switch (event.kind) {
    case 'broker state':
      if (watch.broker?.state === event.state) break;
      return entered(watch, { state: event.state, since: now });
    case 'link opened':
      return watch.link === 'attempt' ? opened(watch, event.incarnation, now) : { watch, commands: [] };
    case 'no link':
      return watch.link === 'attempt' ? notOpened(watch, event, at) : { watch, commands: [] };
    case 'link broken':
      return watch.link === 'open' ? broken(watch, now) : { watch, commands: [] };
    case 'parent found':
      if (watch.search !== 'attempt') break;
      return event.address.host === watch.address.host
        ? searchLater(watch, at)
        : { watch, commands: [], replacedBy: event.address };
    case 'parent not found':
      return watch.search === 'attempt' ? searchLater(watch, at) : { watch, commands: [] };
    case 'deadline':
      if (event.of === 'open link') return openAgain(watch, now);
      if (event.of === 'find parent') return search(watch);
  }
  return { watch, commands: [] };
}

/** A parent that has accepted the broker is where it was found: a search that has passed over that address for doubt begins anew, and finds it. */
function entered(watch: ParentWatch, broker: NonNullable<ParentWatch['broker']>): WatchStep {
  const next = { ...watch, broker };
  const isCleared = isInDoubt(watch) && !isInDoubt(next) && !watch.isForeign;
  if (!isCleared || watch.search !== 'attempt') return { watch: next, commands: [] };
  const searching = search(next);
  return { ...searching, commands: [{ do: 'stop finding' }, ...searching.commands] };
}

function opened(watch: ParentWatch, incarnation: string, now: Instant): WatchStep {
  const { incarnation: before, address } = watch;
  const found: ParentWatch = {
    ...watch,
    incarnation,
    link: 'open',
    openedAt: now,
    search: 'none',
    deadlines: {},
  };
  if (before !== undefined && before !== incarnation)
    return { watch: found, commands: [], replacedBy: address };
  const back: Command = { do: 'log', level: 'info', sentence: 'The parent is there again' };
  return { watch: found, commands: [{ do: 'stop finding' }, ...(before === undefined ? [] : [back])] };
}

/** A parent whose agent has never answered is only looked for when there is reason to. */
function notOpened(watch: ParentWatch, seen: Event & { kind: 'no link' }, at: Moment): WatchStep {
  const mostMs = seen.why === 'late' ? busyMostMs : backoff.mostMs;
  const linkBackoffMs = Math.min(watch.linkBackoffMs, mostMs);
  // Beyond `join` the parent has proved with the certificate who it is, whatever else serves HTTP beside it.
  const turnsForeign = seen.why === 'foreign' && isJoining(watch) && !watch.isForeign;
  const tried: ParentWatch = {
    ...due(watch, 'open link', later(linkBackoffMs, at)),
    link: 'retry',
    linkBackoffMs: longer(linkBackoffMs, mostMs),
    isForeign: watch.isForeign || turnsForeign,
  };
  const commands: Command[] = turnsForeign ? [foreign(watch.address)] : [];
  const isLost =
    seen.why === 'unreachable' || tried.isForeign || seen.parentIsSilent || joinsTooLong(watch, at.now);
  if (!isLost || watch.search !== 'none') return { watch: tried, commands };
  const searching = search(tried);
  return { ...searching, commands: [...commands, ...searching.commands] };
}

function broken(watch: ParentWatch, now: Instant): WatchStep {
  const deadlines = { 'open link': now + watch.brokenBackoffMs };
  const sentence = 'The parent link has broken: looking for the parent';
  return {
    watch: { ...watch, link: 'broken', deadlines },
    commands: [{ do: 'log', level: 'warn', sentence, facts: { parent: watch.address.host } }],
  };
}

/** After a broken link the parent is looked for at once: where it was, and by its name. */
function openAgain(watch: ParentWatch, now: Instant): WatchStep {
  const open: Command = { do: 'open link', host: watch.address.host };
  const attempt: ParentWatch = { ...notDue(watch, 'open link'), link: 'attempt' };
  if (watch.link !== 'broken') return { watch: attempt, commands: [open] };
  const searching = search({
    ...attempt,
    linkBackoffMs: backoff.firstMs,
    brokenBackoffMs: now - watch.openedAt > briefMs ? 0 : longer(watch.brokenBackoffMs),
    searchBackoffMs: backoff.firstMs,
    isForeign: false,
  });
  return { ...searching, commands: [open, ...searching.commands] };
}

function search(watch: ParentWatch): WatchStep {
  const was = [watch.address.host];
  const passesOver = watch.isForeign || isInDoubt(watch);
  return {
    watch: { ...notDue(watch, 'find parent'), search: 'attempt' },
    commands: [{ do: 'find parent', ...(passesOver ? { foreign: was } : { known: was }) }],
  };
}

/** The parent that listens where it was shows over the link whether it is the same, or is about to exit. */
function searchLater(watch: ParentWatch, at: Moment): WatchStep {
  const { searchBackoffMs } = watch;
  const again = due(watch, 'find parent', later(searchBackoffMs, at));
  return {
    watch: { ...again, search: 'retry', searchBackoffMs: longer(searchBackoffMs, busyMostMs) },
    commands: [],
  };
}

const isJoining = ({ broker }: ParentWatch): boolean =>
  broker === undefined || broker.state === 'load-builtins' || broker.state === 'join';

/** Where no parent has answered and the broker does not join, what accepts connections need not be the parent. */
const isInDoubt = (watch: ParentWatch): boolean => watch.incarnation === undefined && isJoining(watch);

const joinsTooLong = ({ broker }: ParentWatch, now: Instant): boolean =>
  broker?.state === 'join' && now - broker.since > joinWithinMs;

const foreign = ({ host }: HostPort): Command => ({
  do: 'log',
  level: 'warn',
  sentence: 'The broker there is not of this instance: looking for the parent',
  facts: { parent: host },
});
