import { describe, expect, it } from 'vitest';
import { type Probe, probeResult } from '../../agent/health/probes.ts';
import { type ChangedState, now, podStateOf, type Seen } from '../support/agent/pod-state.ts';

const follower = { index: 1 };
const silentFor = (milliseconds: number) => (state: ChangedState) => {
  if (state.broker) state.broker.silentSince = now - milliseconds;
};
const heartbeatBefore = (milliseconds: number) => (state: ChangedState) => {
  if (state.broker) state.broker.heartbeat = { at: now - milliseconds, periodMs: 2000 };
};

const attachedTo = (waitReason: string) => (state: ChangedState) => {
  state.attachment = { sockets: ['/run/flux/local'], socket: undefined, waitReason };
};

type Row = readonly [
  situation: string,
  seen: Seen,
  startup: boolean,
  live: boolean,
  ready: boolean,
  why: RegExp,
];

const rows: readonly Row[] = [
  ['a pod that prepares', { phase: 'prepare', state: 'none' }, false, true, false, /phase prepare/],
  [
    'a follower whose parent has no name yet',
    {
      set: follower,
      phase: 'await-parent',
      state: 'none',
      change: (seen) => {
        seen.waitReason = {
          waitingFor: 'name',
          seen: 'no such name',
          since: now,
          addresses: [],
          questions: 1,
          connections: 0,
        };
      },
    },
    true,
    true,
    false,
    /waiting for the parent's name: no such name/,
  ],
  ['a broker whose socket is not there yet', {}, false, true, false, /not reported its state/],
  ['a leader in rc1', { state: 'init' }, true, true, false, /state init/],
  [
    'a leader below its quorum',
    {
      state: 'quorum',
      change: ({ broker }) => {
        if (broker) broker.online = [0, 2];
      },
    },
    true,
    true,
    false,
    /^2 of the 4 brokers of the quorum are online, not mc-\[1,3\]: has the Job 4 completions, as FLUX_POD_SIZE says\?$/,
  ],
  [
    'a leader that has not heard yet who is online',
    { state: 'quorum' },
    true,
    true,
    false,
    /^0 of the 4 brokers of the quorum are online$/,
  ],
  [
    'a leader below its quorum, of an instance that can grow',
    {
      set: { minSize: 2, maxSize: 9 },
      state: 'quorum',
      change: ({ broker }) => {
        if (broker) broker.online = [0];
      },
    },
    true,
    true,
    false,
    /^1 of the 2 brokers of the quorum are online, not mc-\[1-3\]: has the Job 4 completions/,
  ],
  [
    'a leader below its quorum, of an instance in several clusters',
    {
      set: { hosts: 'mc-[0-1],far-[0-1]' },
      state: 'quorum',
      change: ({ broker }) => {
        if (broker) broker.online = [0, 1];
      },
    },
    true,
    true,
    false,
    /^2 of the 4 brokers of the quorum are online, not far-\[0-1\]$/,
  ],
  ['a leader that runs', { state: 'run' }, true, true, true, /the instance runs/],
  [
    'a leader whose API refuses every client',
    {
      state: 'run',
      change: (seen) => {
        seen.apiFault = 'FLUX_POD_API_TOKENS: there is no token in /api';
      },
    },
    true,
    true,
    false,
    /^the API refuses every client: FLUX_POD_API_TOKENS: there is no token/,
  ],
  [
    'a leader that has lost a subtree',
    {
      state: 'run',
      change: ({ broker }) => {
        const below = (rank: number, status: 'full' | 'lost') => ({ rank, status, duration: 1 });
        if (broker)
          broker.overlay = {
            ...below(0, 'full'),
            status: 'degraded',
            children: [below(1, 'full'), below(2, 'lost')],
          };
      },
    },
    true,
    true,
    true,
    /the instance runs; below it rank 2 is lost$/,
  ],
  [
    'a leader six of whose children have not come',
    {
      state: 'run',
      change: ({ broker }) => {
        const below = (rank: number, status: 'full' | 'lost' | 'offline') => ({ rank, status, duration: 1 });
        const offline = [2, 3, 4, 5, 6, 7].map((rank) => below(rank, 'offline'));
        if (broker)
          broker.overlay = {
            rank: 0,
            status: 'partial',
            duration: 1,
            children: [below(1, 'full'), ...offline, below(9, 'lost')],
          };
      },
    },
    true,
    true,
    true,
    /the instance runs; below it ranks 2-7 are offline, rank 9 is lost$/,
  ],
  [
    'a broker whose connection has ended since it reported that it runs',
    {
      set: follower,
      state: 'run',
      change: ({ broker }) => {
        if (broker) broker.confirmed = false;
      },
    },
    true,
    true,
    false,
    /^the broker does not confirm its state, which was run$/,
  ],
  [
    'a follower that has joined but waits for the quorum',
    { set: follower, state: 'quorum' },
    true,
    true,
    true,
    /state quorum/,
  ],
  ['a follower that joins', { set: follower, state: 'join' }, true, true, false, /state join/],
  ['a follower that cleans up', { set: follower, state: 'cleanup' }, true, true, false, /state cleanup/],
  [
    'a follower whose leader is away',
    { set: follower, state: 'run', change: heartbeatBefore(7000) },
    true,
    true,
    false,
    /the parent is lost: no heartbeat for 7.0 s/,
  ],
  [
    'a follower that missed two heartbeats',
    { set: follower, state: 'run', change: heartbeatBefore(5900) },
    true,
    true,
    true,
    /state run/,
  ],
  [
    'a broker that hangs for a second',
    { state: 'run', change: silentFor(1000) },
    true,
    true,
    false,
    /not answered for 1.0 s/,
  ],
  [
    'a broker that hangs for ten seconds',
    { state: 'run', change: silentFor(10_000) },
    true,
    false,
    false,
    /not answered for 10.0 s/,
  ],
  [
    'a pod that is stopping',
    {
      state: 'run',
      change: (seen) => {
        seen.stoppedBy = 'SIGTERM';
      },
    },
    true,
    true,
    false,
    /stopping: SIGTERM/,
  ],
  [
    'a failed pod that is held',
    {
      phase: 'hold',
      state: 'exit',
      change: (seen) => {
        seen.held = true;
      },
    },
    true,
    true,
    false,
    /flux-pod release/,
  ],
  [
    'a joined follower, ready when joined',
    { set: { ...follower, ready: 'joined' }, state: 'init' },
    true,
    true,
    true,
    /state init/,
  ],
  [
    'a leader in quorum, ready when joined',
    { set: { ready: 'joined' }, state: 'quorum' },
    true,
    true,
    true,
    /state quorum/,
  ],
  [
    'a broker that another program has not started yet',
    { phase: 'await-broker', state: 'none', change: attachedTo('no such socket: /run/flux/local') },
    false,
    false,
    false,
    /there is no broker yet: no such socket/,
  ],
  [
    'a broker of another program that runs',
    { state: 'run', change: attachedTo('') },
    true,
    true,
    true,
    /the instance runs/,
  ],
  [
    'a broker of another program that has exited',
    { phase: 'await-broker', state: 'exit', change: attachedTo('/run/flux/local: nothing listens there') },
    false,
    false,
    false,
    /the broker has exited: .*nothing listens there/,
  ],
  ['any broker, ready when up', { set: { ready: 'up' } }, false, true, true, /supervises a broker/],
];

describe('the probes of', () => {
  it.each(rows)('%s', (_, seen, startup, live, ready, why) => {
    const state = podStateOf(seen);
    const ok = (probe: Probe) => probeResult(probe, state, now).ok;
    expect({ startup: ok('startup'), live: ok('live'), ready: ok('ready') }).toEqual({
      startup,
      live,
      ready,
    });
    expect(probeResult('ready', state, now).why).toMatch(why);
  });
});
