import { describe, expect, it } from 'vitest';
import { createTopology } from '../../../agent/cluster/topology.ts';
import { follower } from '../../../agent/lifecycle/follower/follower.ts';
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
  play,
  replay,
  type Script,
  signal,
  started,
  stopping,
} from '../../support/virtual/played-machine.ts';

const pod = {
  size: 4,
  parent: { rank: 0, host: 'mc-0', target: { host: 'mc-0.flux-service', port: 8050 } },
  tree: createTopology({ scheme: 'custom' }, 4),
};
const linked = { http: { host: '0.0.0.0', port: 8051 }, grace: 25 };
const begin = (http: 'off' | undefined = undefined) =>
  play(follower({ ...linked, ...(http && { http }) }, pod));

const listens = (host: string) => `log info: The parent mc-0 listens at ${host}:8050`;
const lost = 'log warn: The parent link has broken: looking for the parent';
const replaced =
  'log warn: Another broker has taken the place of the parent: this one is started anew to join it';
const foreign = 'log warn: The broker there is not of this instance: looking for the parent';
const slowEnd = 'log info: The instance ends: its outcome follows when the slowest of its brokers has exited';
const again =
  'log warn: The broker exited before the instance ended: its parent is lost, or it could not join';
const killed = 'log warn: The broker was ended by SIGKILL: it is started again';
const unlink = ['close link', 'stop finding'];
/** Without a broker the link stays, where no other parent has taken the place of this one. */
const leave = ['stop finding', 'break child links'];
const leaveForAnother = ['close link', ...leave];
const stopped = (name = 'SIGTERM', code = 143) => `exit ${code}: Stopped by ${name}`;
const ended = (code: number) =>
  `exit ${code}: The instance has ended. Its leader: The program exited with code ${code}`;

/** From its start to a broker that looks for a link to the parent. */
const toRun: Script = [
  [0, 'start services', 'watch mounts', 'enter await-parent', 'find parent'],
  [found('10.0.0.7'), listens('10.0.0.7'), 'start broker 10.0.0.7'],
  [started, 'accept child links', 'open link 10.0.0.7'],
];
/** To a broker that has joined, with a link. */
const toLinked: Script = [
  ...toRun,
  [brokerState('join')],
  [linkOpened('a'), 'stop finding'],
  [brokerState('run')],
];
/** To a broker that has exited with 0, as it does when its parent's shuts it down. */
const toExited: Script = [...toLinked, [exitedWith(0)]];

type Row = readonly [title: string, before: Script, script: Script];

/** Each row: what has happened, and what happens then, each with all the commands that follow. */
function promises(rows: readonly Row[], http?: 'off'): void {
  it.each(rows)('%s', (_, before, script) => {
    const whole = [...before, ...script];
    expect(replay(begin(http), whole)).toEqual(whole);
  });
}

describe('a follower awaits its parent', () => {
  promises([
    ['and starts its broker with the address that was found', [], toRun],
    [
      'no longer than FLUX_POD_PEER_TIMEOUT',
      [],
      [
        [0, 'start services', 'watch mounts', 'enter await-parent', 'find parent'],
        [notFound, 'exit 69: The parent mc-0 could not be reached within 1 s (no post hooks)'],
      ],
    ],
    [
      'or exits by a signal',
      [],
      [
        [0, 'start services', 'watch mounts', 'enter await-parent', 'find parent'],
        [signal('SIGINT'), `${stopped('SIGINT', 130)} (no post hooks)`],
      ],
    ],
  ]);
});

describe('all pods exit with the outcome of the leader’s program', () => {
  promises([
    [
      'which is announced before the broker exits',
      toLinked,
      [
        [outcome(3), 'announce outcome'],
        [exitedWith(0), ended(3)],
      ],
    ],
    [
      'which is announced after the broker has exited',
      toExited,
      [[29_999], [outcome(3), 'announce outcome', ended(3)]],
    ],
    ['also where that is 0', toExited, [[outcome(0), 'announce outcome', ended(0)]]],
    [
      'also where the broker exits with another code',
      toLinked,
      [
        [outcome(137), 'announce outcome'],
        [exitedWith(1), ended(137)],
      ],
    ],
    [
      'also where the outcome comes a little after the end of a broker that lost its parent',
      toLinked,
      [[exitedWith(1)], [99], [outcome(137), 'announce outcome', ended(137)]],
    ],
    [
      'and the broker is killed after 3 s where the leader’s broker has crashed',
      toLinked,
      [
        [outcome(137), 'announce outcome'],
        [2999],
        [1, 'kill broker'],
        [exitedWith(137, 'SIGKILL'), ended(137)],
      ],
    ],
    [
      'and the first that is announced counts',
      toLinked,
      [
        [outcome(3), 'announce outcome'],
        [1000],
        [outcome(4), 'announce outcome'],
        [2000, 'kill broker'],
        [exitedWith(137, 'SIGKILL'), ended(3)],
      ],
    ],
    [
      'and with 69 where it cannot be learnt within 30 s',
      toExited,
      [
        [29_999],
        [1, 'exit 69: The instance has ended, and its outcome is unknown: the leader has not announced it'],
      ],
    ],
    [
      'however long the slowest broker takes, where the leader has announced the end',
      toLinked,
      [
        [ending, 'announce ending'],
        [exitedWith(0)],
        [30_000, slowEnd],
        [3_600_000],
        [outcome(3), 'announce outcome', ended(3)],
      ],
    ],
    [
      'also where that comes when this broker has exited',
      toExited,
      [
        [29_000],
        [ending, 'announce ending'],
        [1000, slowEnd],
        [3_600_000],
        [outcome(3), 'announce outcome', ended(3)],
      ],
    ],
    [
      'and with 69 where no agent of the parent has been there for 30 s meanwhile',
      toLinked,
      [
        [ending, 'announce ending'],
        [exitedWith(0)],
        [29_000],
        [linkBroken, lost],
        [0, 'open link 10.0.0.7', 'find parent, known 10.0.0.7'],
        [29_999],
        [linkOpened('a'), 'stop finding', 'log info: The parent is there again'],
        [1, slowEnd],
        [60_000],
        [linkBroken, lost],
        [0, 'open link 10.0.0.7', 'find parent, known 10.0.0.7'],
        [29_999],
        [1, 'exit 69: The instance has ended, and its outcome is unknown: the leader has not announced it'],
      ],
    ],
    [
      'and no broker is started again in an instance that ends, whatever code the last one has exited with',
      toLinked,
      [
        [exitedWith(1)],
        [50],
        [ending, 'announce ending'],
        [50, slowEnd],
        [3_600_000],
        [outcome(71), 'announce outcome', ended(71)],
      ],
    ],
    [
      'unless the parent is lost meanwhile',
      toLinked,
      [
        [ending, 'announce ending'],
        [exitedWith(1)],
        [100, slowEnd],
        [linkBroken, lost],
        [0, 'open link 10.0.0.7', 'find parent, known 10.0.0.7'],
        [100, ...leave, again],
      ],
    ],
    [
      'but a leader that is stopped after it has announced the end has no outcome: its replacement is awaited',
      toLinked,
      [
        [ending, 'announce ending'],
        [exitedWith(0)],
        [stopping, 'announce stopping', ...leave, again],
        [50, 'enter await-parent', 'find parent'],
      ],
    ],
    [
      'which is learnt also over a link that is opened again meanwhile',
      toExited,
      [
        [linkBroken, lost],
        [0, 'open link 10.0.0.7', 'find parent, known 10.0.0.7'],
        [noLink('unavailable')],
        [50, 'open link 10.0.0.7'],
        [linkOpened('a'), 'stop finding', 'log info: The parent is there again'],
        [outcome(3), 'announce outcome', ended(3)],
      ],
    ],
    [
      'which comes later than that during the backoff: the link stays',
      toLinked,
      [[exitedWith(1)], [100, ...leave, again], [outcome(71), ended(71)]],
    ],
    [
      'or while the parent is awaited',
      toLinked,
      [
        [exitedWith(1)],
        [100, ...leave, again],
        [50, 'enter await-parent', 'find parent'],
        [outcome(71), ended(71)],
      ],
    ],
    [
      'or while another broker is being started',
      toLinked,
      [
        [exitedWith(1)],
        [100, ...leave, again],
        [50, 'enter await-parent', 'find parent'],
        [found('10.0.0.7'), listens('10.0.0.7'), 'start broker 10.0.0.7'],
        [outcome(71), 'cancel start'],
        [started, 'kill broker'],
        [exitedWith(137, 'SIGKILL'), ended(71)],
      ],
    ],
    [
      'or while that is being started, whose start is cancelled',
      toLinked,
      [
        [exitedWith(1)],
        [100, ...leave, again],
        [50, 'enter await-parent', 'find parent'],
        [found('10.0.0.7'), listens('10.0.0.7'), 'start broker 10.0.0.7'],
        [outcome(71), 'cancel start'],
        [{ kind: 'broker not started', outcome: undefined }, ended(71)],
      ],
    ],
    [
      'which the parent that stops has announced before: the instance has ended all the same',
      toLinked,
      [
        [outcome(3), 'announce outcome'],
        [stopping, 'announce stopping'],
        [exitedWith(0), ended(3)],
      ],
    ],
  ]);
});

describe('without parent links (FLUX_POD_HTTP=off)', () => {
  promises(
    [
      [
        'a broker that exits with 0 is the end, and the code is 0',
        toRun,
        [[exitedWith(0), 'exit 0: The instance has ended, and its outcome is unknown: FLUX_POD_HTTP is off']],
      ],
      ['any other code is a lost parent', toRun, [[exitedWith(1), ...leave, again]]],
      [
        'a parent that the broker does not hear is looked for all the same',
        toRun,
        [
          [brokerState('join')],
          [noLink('unavailable')],
          [50, 'open link 10.0.0.7'],
          [noLink('unavailable', true), 'find parent, foreign 10.0.0.7'],
        ],
      ],
    ],
    'off',
  );
});

describe('a parent is lost', () => {
  promises([
    [
      'no longer, where it accepts the broker: a search that has passed over its address begins anew',
      toRun,
      [
        [brokerState('join')],
        [noLink('unreachable'), 'find parent, foreign 10.0.0.7'],
        [brokerState('config-sync'), 'stop finding', 'find parent, known 10.0.0.7'],
        [found('10.0.0.7')],
        [brokerState('run')],
      ],
    ],
    [
      'when the link breaks: it is looked for where it was, and by its name',
      toLinked,
      [
        [linkBroken, lost],
        [0, 'open link 10.0.0.7', 'find parent, known 10.0.0.7'],
      ],
    ],
    [
      'and is there again: nothing else happens',
      toLinked,
      [
        [linkBroken, lost],
        [0, 'open link 10.0.0.7', 'find parent, known 10.0.0.7'],
        [linkOpened('a'), 'stop finding', 'log info: The parent is there again'],
        [3_600_000],
      ],
    ],
    [
      'and another broker says hello where it was: the own broker is killed, and started anew',
      toLinked,
      [
        [linkBroken, lost],
        [0, 'open link 10.0.0.7', 'find parent, known 10.0.0.7'],
        [linkOpened('b'), ...unlink, replaced, 'kill broker'],
        [
          exitedWith(137, 'SIGKILL'),
          ...leaveForAnother,
          'enter await-parent',
          listens('10.0.0.7'),
          'start broker 10.0.0.7',
        ],
        [started, 'accept child links', 'open link 10.0.0.7'],
      ],
    ],
    [
      'and its name leads to another address: the own broker is killed, and started anew with that address',
      toLinked,
      [
        [linkBroken, lost],
        [0, 'open link 10.0.0.7', 'find parent, known 10.0.0.7'],
        [found('10.0.0.8'), ...unlink, replaced, 'kill broker'],
        [
          exitedWith(137, 'SIGKILL'),
          ...leaveForAnother,
          'enter await-parent',
          listens('10.0.0.8'),
          'start broker 10.0.0.8',
        ],
        [started, 'accept child links', 'open link 10.0.0.8'],
      ],
    ],
    [
      'and its name leads to where it was: the search goes on with backoff until the agent there answers',
      toLinked,
      [
        [linkBroken, lost],
        [0, 'open link 10.0.0.7', 'find parent, known 10.0.0.7'],
        [found('10.0.0.7')],
        [49],
        [1, 'find parent, known 10.0.0.7'],
        [notFound],
        [74],
        [1, 'find parent, known 10.0.0.7'],
        [linkOpened('a'), 'stop finding', 'log info: The parent is there again'],
      ],
    ],
    [
      'with the broker, whose end is no order of the parent: after a backoff it is awaited again',
      toLinked,
      [
        [exitedWith(1)],
        [99],
        [1, ...leave, again],
        [49],
        [1, 'enter await-parent', 'find parent'],
        [found('10.0.0.7'), listens('10.0.0.7'), 'start broker 10.0.0.7'],
      ],
    ],
    [
      'and a signal comes during the backoff',
      toLinked,
      [[exitedWith(1)], [100, ...leave, again], [signal(), `${stopped()} (no post hooks)`]],
    ],
    [
      'after its broker had shut down the follower’s, and was replaced: this pod joins the new one',
      toExited,
      [
        [linkBroken, lost],
        [0, 'open link 10.0.0.7', 'find parent, known 10.0.0.7'],
        [
          linkOpened('b'),
          ...unlink,
          replaced,
          ...leaveForAnother,
          'enter await-parent',
          listens('10.0.0.7'),
          'start broker 10.0.0.7',
        ],
      ],
    ],
  ]);

  it('and each link that breaks at once is opened later than the one before, one that lasts at once', () => {
    const played = begin();
    replay(played, toLinked);
    const backoff = () => {
      const brokenAt = played.now();
      played.on(linkBroken);
      const opened = played.on(2000).find(({ do: what }) => what === 'open link');
      played.on(linkOpened('a'));
      return opened && Math.round(opened.at - brokenAt);
    };
    expect([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map(backoff)).toEqual([
      0, 50, 75, 113, 169, 253, 380, 570, 854, 1000, 1000,
    ]);
    played.on(5000);
    expect(backoff()).toBe(1000);
    expect(backoff()).toBe(0);
  });

  it('and a parent that is too busy for a link is asked less and less often, one that refuses it each second', () => {
    const played = begin();
    replay(played, toRun);
    const backoff = (why: 'late' | 'unavailable') => {
      const failedAt = played.now();
      played.on(noLink(why));
      const next = played.on(10_000).find(({ do: what }) => what === 'open link');
      return next && Math.round(next.at - failedAt);
    };
    const late = Array.from({ length: 15 }, () => backoff('late'));
    expect(late).toEqual([50, 75, 113, 169, 253, 380, 570, 854, 1281, 1922, 2883, 4325, 6487, 8000, 8000]);
    expect([1, 2].map(() => backoff('unavailable'))).toEqual([1000, 1000]);
  });

  it('and a parent that listens where it was is looked for less and less often', () => {
    const played = begin();
    replay(played, [...toLinked, [linkBroken], [0]]);
    const backoff = () => {
      const foundAt = played.now();
      played.on(found('10.0.0.7'));
      const next = played.on(10_000).find(({ do: what }) => what === 'find parent');
      return next && Math.round(next.at - foundAt);
    };
    expect(Array.from({ length: 15 }, backoff)).toEqual([
      50, 75, 113, 169, 253, 380, 570, 854, 1281, 1922, 2883, 4325, 6487, 8000, 8000,
    ]);
  });

  it('and each broker that exits soon is started later than the one before, after one that ran for 10 s at once', () => {
    const played = begin();
    const backoff = (ranMs: number) => {
      for (const event of [found('10.0.0.7'), started, linkOpened('a')]) played.on(event);
      played.on(ranMs - 100);
      played.on(exitedWith(1));
      const since = played.now() + 100;
      const next = played.on(2000).find(({ do: what }) => what === 'find parent');
      return next && Math.round(next.at - since);
    };
    expect([0, 0, 0, 0, 0, 0, 0, 0, 0].map(() => backoff(200))).toEqual([
      50, 75, 113, 169, 253, 380, 570, 800, 800,
    ]);
    expect(backoff(10_001)).toBe(50);
    expect(backoff(200)).toBe(75);
  });
});

describe('where another server has the parent’s address', () => {
  promises([
    [
      'a parent that takes no connection is looked for at once',
      [...toRun, [brokerState('join')]],
      [
        [noLink('unreachable'), 'find parent, foreign 10.0.0.7'],
        [50, 'open link 10.0.0.7'],
        [noLink('unreachable')],
        [found('10.0.0.8'), ...unlink, replaced, 'kill broker'],
      ],
    ],
    [
      'one that is not of this instance is no parent while the broker joins',
      [...toRun, [brokerState('join')]],
      [
        [noLink('foreign'), foreign, 'find parent, foreign 10.0.0.7'],
        [50, 'open link 10.0.0.7'],
        [noLink('foreign')],
        [74],
        [1, 'open link 10.0.0.7'],
      ],
    ],
    [
      'one that is not of this instance is not looked for where it is, also when the broker joins meanwhile',
      [...toRun, [brokerState('join')]],
      [
        [noLink('foreign'), foreign, 'find parent, foreign 10.0.0.7'],
        [brokerState('run')],
        [found('10.0.0.7')],
        [50, 'open link 10.0.0.7', 'find parent, foreign 10.0.0.7'],
      ],
    ],
    [
      'a broker that has joined has the right parent, whatever else serves HTTP there',
      [...toRun, [brokerState('join')], [brokerState('run')]],
      [[noLink('foreign')], [50, 'open link 10.0.0.7'], [noLink('foreign')], [75, 'open link 10.0.0.7']],
    ],
    [
      'a broker that has not joined after 15 s may have the wrong address',
      [...toRun, [1000], [brokerState('join')]],
      [
        [15_000],
        [noLink('unavailable')],
        [50, 'open link 10.0.0.7'],
        [noLink('unavailable'), 'find parent, foreign 10.0.0.7'],
        [found('10.0.0.7')],
        [50, 'find parent, foreign 10.0.0.7'],
      ],
    ],
    [
      'which counts from when it began to join, also where its connection says so again',
      [...toRun, [brokerState('join')]],
      [[14_000], [brokerState('join')], [1001], [noLink('unavailable'), 'find parent, foreign 10.0.0.7']],
    ],
    [
      'a parent that has answered is the parent, though the broker has not joined yet',
      [...toRun, [brokerState('join')], [linkOpened('a'), 'stop finding']],
      [
        [linkBroken, lost],
        [0, 'open link 10.0.0.7', 'find parent, known 10.0.0.7'],
      ],
    ],
    [
      'a broker that no longer hears the heartbeat may have lost it, though no agent ever answered',
      [...toRun, [brokerState('run')]],
      [
        [noLink('unavailable')],
        [50, 'open link 10.0.0.7'],
        [noLink('unavailable', true), 'find parent, known 10.0.0.7'],
      ],
    ],
    [
      'the agent may answer late: the search ends',
      [...toRun, [brokerState('join')]],
      [
        [noLink('unreachable'), 'find parent, foreign 10.0.0.7'],
        [50, 'open link 10.0.0.7'],
        [linkOpened('a'), 'stop finding'],
      ],
    ],
  ]);
});

describe('a parent that was asked to stop', () => {
  promises([
    [
      'is no end of the instance: the follower waits for the one that takes its place',
      toLinked,
      [
        [stopping, 'announce stopping'],
        [exitedWith(0), ...leave, again],
        [50, 'enter await-parent', 'find parent'],
      ],
    ],
    [
      'nor where the announcement comes after the end of the broker',
      toExited,
      [[stopping, 'announce stopping', ...leave, again]],
    ],
  ]);
});

describe('SIGTERM', () => {
  promises([
    [
      'to one follower: it drains its node, waits half a second, and leaves',
      toLinked,
      [
        [signal(), 'drain'],
        [1000],
        [drained],
        [499],
        [1, 'announce stopping', 'signal broker SIGTERM'],
        [exitedWith(0), stopped()],
      ],
    ],
    [
      'to one follower whose broker does not leave within 5 s: it is killed',
      toLinked,
      [
        [signal(), 'drain'],
        [drained],
        [500, 'announce stopping', 'signal broker SIGTERM'],
        [4999],
        [1, 'kill broker'],
        [exitedWith(137, 'SIGKILL'), stopped()],
      ],
    ],
    [
      'to all pods, its parent first: the parent’s broker shuts down this pod’s',
      toLinked,
      [[stopping, 'announce stopping'], [signal(), 'drain'], [drained], [20_000], [exitedWith(0), stopped()]],
    ],
    [
      'to all pods, its parent a little later',
      toLinked,
      [
        [signal(), 'drain'],
        [drained],
        [499],
        [stopping, 'announce stopping'],
        [20_000],
        [exitedWith(0), stopped()],
      ],
    ],
    [
      'to all pods, its parent while the node is drained',
      toLinked,
      [[signal(), 'drain'], [stopping, 'announce stopping'], [drained], [20_000], [exitedWith(0), stopped()]],
    ],
    [
      'that takes longer than FLUX_POD_GRACE: the broker is killed',
      toLinked,
      [
        [stopping, 'announce stopping'],
        [signal(), 'drain'],
        [drained],
        [24_999],
        [1, 'log warn: The stop took longer than FLUX_POD_GRACE, 25 s: the broker is killed', 'kill broker'],
        [exitedWith(137, 'SIGKILL'), stopped()],
      ],
    ],
    [
      'a second time, and any other signal that asks for an end: it is the broker’s, and the first decides the code',
      toLinked,
      [
        [signal('SIGINT'), 'drain'],
        [signal('SIGTERM'), 'signal broker SIGTERM'],
        [signal('SIGHUP'), 'signal broker SIGHUP'],
        [exitedWith(1), stopped('SIGINT', 130)],
      ],
    ],
    [
      'before the broker is started: it is not started',
      toRun.slice(0, -1),
      [
        [signal(), 'cancel start'],
        [{ kind: 'broker not started', outcome: undefined }, `${stopped()} (no post hooks)`],
      ],
    ],
    [
      'while the broker is started: it is stopped as soon as it runs',
      toRun.slice(0, -1),
      [
        [signal(), 'cancel start'],
        [started, 'accept child links', 'open link 10.0.0.7', 'drain'],
        [drained],
        [500, 'announce stopping', 'signal broker SIGTERM'],
        [exitedWith(143, 'SIGTERM'), stopped()],
      ],
    ],
    ['while the outcome is not known: the pod exits at once', toExited, [[signal(), stopped()]]],
    [
      'after the outcome: the signal decides the code',
      toLinked,
      [
        [outcome(3), 'announce outcome'],
        [signal(), 'drain'],
        [exitedWith(0), stopped()],
      ],
    ],
    [
      'to a follower whose parent was replaced: its broker is not started again',
      toLinked,
      [
        [linkBroken, lost],
        [0, 'open link 10.0.0.7', 'find parent, known 10.0.0.7'],
        [found('10.0.0.8'), ...unlink, replaced, 'kill broker'],
        [signal(), 'drain'],
        [exitedWith(137, 'SIGKILL'), stopped()],
      ],
    ],
  ]);

  const endings = [exitedWith(0), exitedWith(1), exitedWith(129), exitedWith(137, 'SIGKILL')];
  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
    ['SIGQUIT', 131],
  ] as const)('is 128+N as any signal is: %s %i, however the broker ends', (name, code) => {
    for (const ending of endings) {
      const script: Script = [...toLinked, [signal(name), 'drain'], [ending, stopped(name, code)]];
      expect(replay(begin(), script)).toEqual(script);
    }
  });
});

describe('what the exit of its broker means to a follower without an announcement', () => {
  it('with 0 the instance has ended: it waits for the outcome', () => {
    const played = begin();
    replay(played, [...toLinked, [exitedWith(0)]]);
    expect(played.due()).toMatchObject({ of: 'outcome' });
  });

  it.each([
    ['1, for its parent was lost', exitedWith(1), again],
    ['any other code', exitedWith(134), again],
    ['a signal', exitedWith(137, 'SIGKILL'), killed],
  ])('with %s it has not: the parent is awaited again', (_, ending, warning) => {
    const script: Script = [...toLinked, [ending], [100, ...leave, warning]];
    expect(replay(begin(), script)).toEqual(script);
  });
});

describe('a failure', () => {
  const noFlux = { code: 72, sentence: 'Cannot execute flux: ENOENT' };
  const portTaken = { code: 78, sentence: 'Cannot use FLUX_POD_PORT=8050' };
  const badCertificate = { code: 77, sentence: 'The keys are no pair' };
  promises([
    [
      'to start the broker is the outcome',
      toRun.slice(0, -1),
      [[{ kind: 'broker not started', outcome: noFlux }, `exit 72: ${noFlux.sentence} (no post hooks)`]],
    ],
    [
      'that explains why the broker has exited is the outcome',
      toLinked,
      [
        [
          { kind: 'broker exited', ending: { code: 1, signal: undefined }, failure: portTaken },
          `exit 78: ${portTaken.sentence} (no post hooks)`,
        ],
      ],
    ],
    [
      'of the agent kills the broker first',
      toLinked,
      [
        [{ kind: 'failed', outcome: badCertificate }, 'kill broker'],
        [exitedWith(137, 'SIGKILL'), `exit 77: ${badCertificate.sentence} (no post hooks)`],
      ],
    ],
    [
      'of the agent while the broker is started waits for it, and kills it',
      toRun.slice(0, -1),
      [
        [{ kind: 'failed', outcome: badCertificate }, 'cancel start'],
        [started, 'kill broker'],
        [exitedWith(137, 'SIGKILL'), `exit 77: ${badCertificate.sentence} (no post hooks)`],
      ],
    ],
    [
      'of the agent without a broker is the outcome at once',
      toRun.slice(0, 1),
      [[{ kind: 'failed', outcome: badCertificate }, `exit 77: ${badCertificate.sentence} (no post hooks)`]],
    ],
  ]);
});
