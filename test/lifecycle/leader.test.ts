import { describe, expect, it } from 'vitest';
import { leader } from '../../agent/lifecycle/leader.ts';
import {
  brokerState,
  exitedWith,
  play,
  replay,
  type Script,
  signal,
  started,
} from '../support/virtual/played-machine.ts';

const services = ['start services', 'watch mounts', 'accept child links'];
const toRun: Script = [
  [0, 'start broker'],
  [started, ...services],
];
const stopped = (name = 'SIGTERM', code = 143) => `exit ${code}: Stopped by ${name}`;
const begin = () => play(leader({ grace: 25 }));

describe('a leader', () => {
  it.each<readonly [string, Script]>([
    [
      'exits with the code of its program, and announces that',
      [...toRun, [3_600_000], [exitedWith(3), 'announce outcome', 'exit 3: The program exited with code 3']],
    ],
    [
      'whose broker is killed announces that as well',
      [
        ...toRun,
        [exitedWith(137, 'SIGKILL'), 'announce outcome', 'exit 137: The broker was ended by SIGKILL'],
      ],
    ],
    [
      'whose broker could not start announces why',
      [
        ...toRun,
        [
          {
            kind: 'broker exited',
            ending: { code: 1, signal: undefined },
            failure: { code: 71, sentence: 'The broker could not start' },
          },
          'announce outcome',
          'exit 71: The broker could not start',
        ],
      ],
    ],
    [
      'that cannot execute flux exits at once',
      [
        [0, 'start broker'],
        [
          { kind: 'broker not started', outcome: { code: 72, sentence: 'Cannot execute flux' } },
          'exit 72: Cannot execute flux (no post hooks)',
        ],
      ],
    ],
    [
      'whose program has ended announces that once: its broker waits for the slowest of its followers’',
      [
        ...toRun,
        [brokerState('run')],
        [brokerState('cleanup'), 'announce ending'],
        [brokerState('shutdown')],
        [3_600_000],
        [exitedWith(3), 'announce outcome', 'exit 3: The program exited with code 3'],
      ],
    ],
    [
      'whose broker shuts down before it has run announces that as well',
      [...toRun, [brokerState('init')], [brokerState('shutdown'), 'announce ending']],
    ],
    [
      'that is stopped announces no end: its followers wait for its replacement',
      [
        ...toRun,
        [brokerState('run')],
        [signal(), 'announce stopping', 'signal broker SIGTERM'],
        [brokerState('cleanup')],
        [exitedWith(143), stopped()],
      ],
    ],
    [
      'that is stopped informs its followers, stops its broker, and has no outcome for them',
      [
        ...toRun,
        [signal(), 'announce stopping', 'signal broker SIGTERM'],
        [24_999],
        [exitedWith(143), stopped()],
      ],
    ],
    [
      'that is stopped again and again sends its broker SIGTERM each time, and exits by the first signal',
      [
        ...toRun,
        [signal('SIGINT'), 'announce stopping', 'signal broker SIGTERM'],
        [signal('SIGINT'), 'signal broker SIGTERM'],
        [exitedWith(1), stopped('SIGINT', 130)],
      ],
    ],
    [
      'kills its broker after FLUX_POD_GRACE',
      [
        ...toRun,
        [signal(), 'announce stopping', 'signal broker SIGTERM'],
        [24_999],
        [1, 'log warn: The stop took longer than FLUX_POD_GRACE, 25 s: the broker is killed', 'kill broker'],
        [exitedWith(137, 'SIGKILL'), stopped()],
      ],
    ],
    [
      'that is stopped before its broker is started does not start it',
      [
        [0, 'start broker'],
        [signal(), 'cancel start'],
        [{ kind: 'broker not started', outcome: undefined }, `${stopped()} (no post hooks)`],
      ],
    ],
    [
      'that is stopped while its broker is started stops it as soon as it runs',
      [
        [0, 'start broker'],
        [signal(), 'cancel start'],
        [started, ...services, 'announce stopping', 'signal broker SIGTERM'],
        [exitedWith(143, 'SIGTERM'), stopped()],
      ],
    ],
    [
      'that cannot go on kills its broker before it exits',
      [
        ...toRun,
        [{ kind: 'failed', outcome: { code: 77, sentence: 'The keys are no pair' } }, 'kill broker'],
        [exitedWith(137, 'SIGKILL'), 'exit 77: The keys are no pair (no post hooks)'],
      ],
    ],
  ])('%s', (_, script) => {
    expect(replay(begin(), script)).toEqual(script);
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
    ['SIGQUIT', 131],
  ] as const)('that was stopped by %s exits with %i, however its broker ends', (name, code) => {
    for (const ending of [exitedWith(0), exitedWith(1), exitedWith(129), exitedWith(137, 'SIGKILL')]) {
      const script: Script = [
        ...toRun,
        [signal(name), 'announce stopping', 'signal broker SIGTERM'],
        [ending, stopped(name, code)],
      ];
      expect(replay(begin(), script)).toEqual(script);
    }
  });
});

describe('a leader with FLUX_POD_IDLE_TIMEOUT', () => {
  const idle = { kind: 'idle' } as const;
  const run = { kind: 'broker state', state: 'run' } as const;
  const failure = { code: 71, sentence: 'The state directory is full' };
  const over = 'exit 0: The instance had no active job for 600 s (FLUX_POD_IDLE_TIMEOUT)';
  const watched: Script = [...toRun, [run, 'watch idle']];

  it.each<readonly [string, Script]>([
    [
      'shuts its idle instance down with code 0, whatever becomes of the program',
      [...watched, [idle, 'signal broker SIGTERM'], [exitedWith(129), 'announce outcome', over]],
    ],
    [
      'kills a broker that does not shut down within the grace period',
      [
        ...watched,
        [idle, 'signal broker SIGTERM'],
        [24_999],
        [1, 'log warn: The stop took longer than FLUX_POD_GRACE, 25 s: the broker is killed', 'kill broker'],
        [exitedWith(137, 'SIGKILL'), 'announce outcome', over],
      ],
    ],
    [
      'that is stopped meanwhile exits as one that is stopped',
      [
        ...watched,
        [idle, 'signal broker SIGTERM'],
        [signal(), 'announce stopping', 'signal broker SIGTERM'],
        [exitedWith(129), stopped()],
      ],
    ],
    [
      'that is stopped already is not idle',
      [
        ...watched,
        [signal(), 'announce stopping', 'signal broker SIGTERM'],
        [idle],
        [exitedWith(0), stopped()],
      ],
    ],
    [
      'whose program ends first exits with its code',
      [...watched, [exitedWith(3), 'announce outcome', 'exit 3: The program exited with code 3']],
    ],
    [
      'whose program has ended before the idle time is over exits with its code, also where the clean-up takes longer',
      [
        ...watched,
        [{ kind: 'broker state', state: 'cleanup' }, 'announce ending'],
        [idle],
        [exitedWith(3), 'announce outcome', 'exit 3: The program exited with code 3'],
      ],
    ],
    [
      'exits with what made its broker fail, also where it was idle',
      [
        ...watched,
        [idle, 'signal broker SIGTERM'],
        [
          { kind: 'broker exited', ending: { code: 1, signal: undefined }, failure },
          'announce outcome',
          'exit 71: The state directory is full',
        ],
      ],
    ],
    [
      'watches once, however often the broker is connected to',
      [...watched, [run], [run], [idle, 'signal broker SIGTERM'], [run], [idle]],
    ],
    [
      'is not idle before the instance runs',
      [...toRun, [{ kind: 'broker state', state: 'quorum' }], [run, 'watch idle']],
    ],
  ])('%s', (_, script) => {
    expect(replay(play(leader({ grace: 25, idleTimeout: 600 })), script)).toEqual(script);
  });

  it.each([undefined, Number.POSITIVE_INFINITY])('of %s watches nothing', (idleTimeout) => {
    const script: Script = [...toRun, [run]];
    expect(replay(play(leader({ grace: 25, idleTimeout })), script)).toEqual(script);
  });
});
