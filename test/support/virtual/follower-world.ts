import type { Outcome } from '../../../agent/lifecycle/exit/outcome.ts';
import type { Command, Event, Machine } from '../../../agent/lifecycle/machine.ts';
import {
  brokerState,
  drained,
  ending,
  exitedWith,
  found,
  linkBroken,
  linkOpened,
  noLink,
  notFound,
  outcome,
  type Played,
  play,
  signal,
  started,
  stopping,
} from './played-machine.ts';

/** What surrounds a machine: a broker, a link, a search, and a leader with its program. It answers each command, in any order and with anything. */
export interface World<State extends { readonly at: string }> extends Played<State> {
  /** What can happen now while the instance goes on. */
  readonly possible: () => readonly (Event | number)[];
  /** What can happen now that ends it, or this pod. */
  readonly ends: () => readonly Event[];
  /** What the machine waits for, by its name; empty where nothing could ever wake it. */
  readonly awaited: () => readonly string[];
  readonly broker: () => 'none' | 'starting' | 'running' | 'killed';
  readonly link: () => 'none' | 'attempt' | 'open';
  readonly programEnded: () => boolean;
  readonly firstSignal: () => NodeJS.Signals | undefined;
  readonly hasFailed: () => boolean;
}

const notStarted = (outcome: Outcome | undefined): Event => ({ kind: 'broker not started', outcome });
const failure = { code: 78, sentence: 'no way' };

export function world<State extends { readonly at: string }>(
  machine: Machine<State>,
  linked: boolean,
): World<State> {
  const played = play(machine);
  let broker: ReturnType<World<State>['broker']> = 'none';
  let isCancelled = false;
  let link: 'none' | 'attempt' | 'open' = 'none';
  /** The link of the broker before, until the next is open. */
  let isHeard = false;
  let isNewBroker = false;
  let isSearching = false;
  let isDraining = false;
  let program: number | undefined;
  let first: NodeJS.Signals | undefined;
  let hasFailed = false;
  let isEnding = false;

  const must = (holds: boolean, what: string) => {
    if (!holds)
      throw new Error(`${what}: broker ${broker}, link ${link}, at ${JSON.stringify(played.state())}`);
  };
  const obey = (command: Command) => {
    switch (command.do) {
      case 'start broker':
        must(broker === 'none', 'two brokers');
        [broker, isCancelled] = ['starting', false];
        break;
      case 'cancel start':
        isCancelled = true;
        break;
      case 'kill broker':
        must(broker !== 'none' && broker !== 'starting', 'nothing to kill');
        broker = 'killed';
        break;
      case 'find parent':
        must(!isSearching, 'two searches');
        isSearching = true;
        break;
      case 'stop finding':
        isSearching = false;
        break;
      case 'open link':
        must(link === 'none' || isNewBroker, 'two links');
        [isHeard, link] = [isHeard || link === 'open', 'attempt'];
        break;
      case 'close link':
        [isHeard, link] = [false, 'none'];
        break;
      case 'drain':
        isDraining = true;
        break;
      case 'exit':
        must(broker === 'none', 'a broker outlives its agent');
    }
  };
  /** What an event says of the world. */
  const happens = (event: Event) => {
    if (event.kind === 'signal') first ??= event.signal;
    if ('outcome' in event || ('failure' in event && event.failure)) hasFailed = true;
    if (event.kind === 'broker started') broker = 'running';
    if (event.kind === 'broker not started' || event.kind === 'broker exited') broker = 'none';
    if (event.kind === 'parent found' || event.kind === 'parent not found') isSearching = false;
    isNewBroker = event.kind === 'broker started';
    if (event.kind === 'link opened') [isHeard, link] = [false, 'open'];
    if (event.kind === 'no link') link = 'none';
    if (event.kind === 'link broken') [isHeard, link] = [false, isHeard ? link : 'none'];
    if (event.kind === 'drained') isDraining = false;
    if (event === ending) isEnding = true;
    // Without parent links an exit in order is how a follower learns that the program has ended.
    if (event.kind === 'broker exited' && event.ending.code === 0 && !linked) program ??= 0;
    if (event.kind === 'announced' && event.message.kind === 'outcome') program ??= event.message.code;
  };

  return {
    ...played,
    broker: () => broker,
    link: () => link,
    firstSignal: () => first,
    hasFailed: () => hasFailed,
    programEnded: () => program !== undefined,
    possible: () => [
      ...[1, 40, 600, 12_000, 31_000],
      ...(broker === 'starting' ? [started] : []),
      ...(broker === 'starting' && isCancelled ? [notStarted(undefined)] : []),
      ...(broker === 'killed' ? [exitedWith(137, 'SIGKILL')] : []),
      ...(broker === 'running' ? [exitedWith(1), brokerState('join'), brokerState('run')] : []),
      ...(broker === 'running' && linked ? [exitedWith(0)] : []),
      ...(isSearching ? [found('10.0.0.7'), found('10.0.0.8')] : []),
      ...(isSearching && played.state().at !== 'await-parent' ? [notFound] : []),
      ...(link === 'attempt' ? [noLink('unavailable'), noLink('unavailable', true)] : []),
      ...(link === 'attempt' && linked ? [linkOpened('a'), linkOpened('b')] : []),
      ...(link === 'attempt' && linked ? [noLink('unreachable'), noLink('foreign')] : []),
      ...(link === 'open' || isHeard ? [linkBroken, stopping, ending] : []),
      ...(isDraining ? [drained] : []),
    ],
    ends: () => [
      signal('SIGTERM'),
      signal('SIGINT'),
      { kind: 'failed', outcome: failure },
      ...(broker === 'starting' ? [notStarted(failure)] : []),
      ...(broker === 'running' ? [{ ...exitedWith(1), failure } as Event, exitedWith(0)] : []),
      ...(isSearching ? [notFound] : []),
      ...(link === 'open' || isHeard ? [outcome(program ?? 0), outcome(program ?? 3)] : []),
    ],
    awaited: () =>
      [
        broker === 'starting' && 'the start of the broker',
        (broker === 'running' || broker === 'killed') && 'the end of the broker',
        isSearching && 'the parent',
        isEnding && link === 'open' && played.state().at === 'learn-outcome' && 'the outcome',
        played.due() && `a deadline: ${played.due()?.of}`,
      ].filter((what) => typeof what === 'string'),
    on: (input) => {
      if (typeof input !== 'number') happens(input);
      const commands = played.on(input);
      for (const command of commands) obey(command);
      return commands;
    },
  };
}
