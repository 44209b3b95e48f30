import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTopology } from '../../agent/cluster/topology.ts';
import { follower } from '../../agent/lifecycle/follower/follower.ts';
import { leader } from '../../agent/lifecycle/leader.ts';
import type { Machine } from '../../agent/lifecycle/machine.ts';
import { type World, world } from '../support/virtual/follower-world.ts';
import { drained, exitedWith, outcome, signal, started } from '../support/virtual/played-machine.ts';

const pod = {
  size: 4,
  parent: { rank: 0, host: 'mc-0', target: { host: 'mc-0.flux-service', port: 8050 } },
  tree: createTopology({ scheme: 'custom' }, 4),
};
const http = { host: '0.0.0.0', port: 8051 };
const grace = 25;

type Life = { readonly at: string };
const aFollower = (): World<Life> => world(follower({ http, grace }, pod) as Machine<Life>, true);
const anUnlinkedFollower = (): World<Life> =>
  world(follower({ http: 'off', grace }, pod) as Machine<Life>, false);
const aLeader = (): World<Life> => world(leader({ grace }) as Machine<Life>, false);

/** Each number chooses one of the things that can happen. */
const choices = fc.array(fc.nat(), { maxLength: 80 });

/** Lets things happen until there is an exit; one of `endsEach` may be the end, none where that is infinite. Checks after each that the machine waits for something. */
function live(of: World<Life>, chosen: readonly number[], endsEach = 20): void {
  of.on(0);
  for (const choice of chosen) {
    const possible = choice % endsEach === endsEach - 1 ? of.ends() : of.possible();
    of.on(possible[(choice >> 5) % possible.length] ?? 0);
    if (of.exited()) return;
    expect(of.awaited()).not.toEqual([]);
  }
}

/** Whatever has happened before: the broker does not obey SIGTERM, nothing is found, nothing is announced, and a signal comes. */
function stop(of: World<Life>): void {
  const stoppedAt = of.now();
  of.on(signal());
  for (let steps = 0; !of.exited(); steps++) {
    expect(steps).toBeLessThan(1000);
    if (of.broker() === 'starting') of.on(started);
    else if (of.broker() === 'killed') of.on(exitedWith(137, 'SIGKILL'));
    else if (of.possible().includes(drained)) of.on(drained);
    else of.on(Math.max(0, (of.due()?.at ?? Number.POSITIVE_INFINITY) - of.now()));
  }
  expect(of.now() - stoppedAt).toBeLessThanOrEqual(grace * 1000);
}

const everyLife: readonly (readonly [string, () => World<Life>])[] = [
  ['a follower', aFollower],
  ['a follower with FLUX_POD_HTTP=off', anUnlinkedFollower],
  ['a leader', aLeader],
];
const runs = { numRuns: 1000 };

describe.each(everyLife)('%s, in whatever order things happen', (_, begin) => {
  it('exits without a broker, or waits for something that has a name', () => {
    fc.assert(
      fc.property(choices, (chosen) => {
        const of = begin();
        live(of, chosen);
        if (of.exited()) expect(of.broker()).toBe('none');
      }),
      runs,
    );
  });

  it('exits within the grace period of a signal, with the code of the first', () => {
    fc.assert(
      fc.property(choices, (chosen) => {
        const of = begin();
        live(of, chosen);
        if (of.exited()) return;
        stop(of);
        const code = of.firstSignal() === 'SIGINT' ? 130 : 143;
        expect(of.hasFailed() ? [code, 78] : [code]).toContain(of.exited()?.outcome.code);
      }),
      runs,
    );
  });
});

describe.each(everyLife.slice(0, 2))('%s, in whatever order things happen', (_, begin) => {
  it('never exits with 0 while the leader’s program may be running', () => {
    fc.assert(
      fc.property(choices, (chosen) => {
        const of = begin();
        live(of, chosen);
        if (of.exited()?.outcome.code === 0) expect(of.programEnded()).toBe(true);
      }),
      runs,
    );
  });
});

describe('a follower that hears the outcome, in whatever order things happened before', () => {
  it('exits with it within 3 s', () => {
    fc.assert(
      fc.property(choices, (chosen) => {
        const of = aFollower();
        live(of, chosen, Number.POSITIVE_INFINITY);
        fc.pre(!of.exited() && of.link() === 'open');
        const heardAt = of.now();
        of.on(outcome(9));
        while (!of.exited() && of.broker() !== 'killed') of.on(of.broker() === 'starting' ? started : 100);
        if (!of.exited()) of.on(exitedWith(137, 'SIGKILL'));
        expect(of.exited()?.outcome.code).toBe(9);
        expect(of.now() - heardAt).toBeLessThanOrEqual(3000);
      }),
    );
  });
});
