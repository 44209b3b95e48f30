import { describe, expect, it } from 'vitest';
import { membershipOf } from '../../../agent/broker/membership.ts';
import { brokerArguments } from '../../../agent/broker/process/command-line.ts';
import { runDirectoryAt } from '../../../agent/broker/run-directory/run-directory.ts';
import type { PodFacts } from '../../../agent/pod/facts.ts';
import { configurationOf, type Given } from '../../support/agent/configuration.ts';

function argumentsOf(set: Given, program: readonly string[] = [], facts: Partial<PodFacts> = {}): string[] {
  const configuration = configurationOf(set, facts);
  return brokerArguments(
    configuration,
    membershipOf(configuration),
    runDirectoryAt('/run/flux-pod'),
    program,
  );
}

const everywhere = [
  'broker',
  '--config-path=/run/flux-pod/broker.toml',
  '-Srundir=/run/flux-pod/broker',
  '-Slocal-uri=local:///run/flux-pod/run/flux/local',
  '-Slog-stderr-mode=local',
  '-Slog-stderr-level=6',
];

describe('the arguments of flux', () => {
  it.each<[string, Given, string[], string[]]>([
    ['a leader waits for all pods and runs its program', {}, ['a', '-b'], ['-Sbroker.quorum=4', 'a', '-b']],
    ['a leader waits for MIN_SIZE pods', { minSize: 2 }, ['a'], ['-Sbroker.quorum=2', 'a']],
    [
      'a leader of an instance that can grow waits for SIZE pods',
      { maxSize: 9 },
      ['a'],
      ['-Sbroker.quorum=4', 'a'],
    ],
    ['a leader without a program stays up', {}, [], ['-Sbroker.quorum=4', '-Sbroker.rc2_none=1']],
    [
      'a leader keeps its state where it is told',
      { stateDir: '/state' },
      ['a'],
      ['-Sbroker.quorum=4', '-Sstatedir=/state', 'a'],
    ],
    ['a follower has neither program nor quorum nor state', { index: 3, stateDir: '/state' }, ['a'], []],
    [
      "the user's options come after ours, where the last one wins, and before the program",
      { brokerOptions: '-Slog-stderr-level=7 -Scron.directory=/etc/cron' },
      ['a'],
      ['-Sbroker.quorum=4', '-Slog-stderr-level=7', '-Scron.directory=/etc/cron', 'a'],
    ],
    ["a follower has the user's options too", { index: 1, brokerOptions: ['-Sa=b c'] }, ['a'], ['-Sa=b c']],
  ])('%s', (_, set, program, more) => {
    expect(argumentsOf({ size: 4, ...set }, program)).toEqual([...everywhere, ...more]);
  });

  it.each([
    ['trace', '7'],
    ['debug', '7'],
    ['info', '6'],
    ['warn', '4'],
    ['error', '3'],
    ['fatal', '2'],
    ['silent', '-1'],
  ])('the log level %s is %s in the broker', (logLevel, level) => {
    expect(argumentsOf({ logLevel })).toContain(`-Slog-stderr-level=${level}`);
  });

  it.each([
    ['mc-1', 'mc-1', undefined],
    ['mc-1.flux-service.default.svc.cluster.local', 'an FQDN', undefined],
    ['ip-10-0-0-7', 'no name in the host list', '-Shostname=mc-1'],
    ['other-1', "another cluster's", '-Shostname=mc-1'],
  ])(
    'with the hostname %s, %s, the broker is told its name only where it needs it',
    (hostname, _, expected) => {
      const args = argumentsOf({ size: 2, cluster: 'mc', index: 1, service: 'flux' }, [], { hostname });
      expect(args.find((arg) => arg.startsWith('-Shostname='))).toBe(expected);
    },
  );
});

describe('the broker’s log for people', () => {
  it('has its lines written where what is critical is: with a time, without `<6>`, and by each broker for itself', () => {
    expect(argumentsOf({ size: 4, index: 1, logFormat: 'text', logLevel: 'warn' })).toEqual([
      ...everywhere.slice(0, 4),
      '-Slog-stderr-mode=leader',
      '-Slog-stderr-level=4',
      '-Slog-critical-level=4',
      '-Slog-forward-level=-1',
    ]);
  });
});
