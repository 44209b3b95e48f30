import { describe, expect, it } from 'vitest';
import { endingOf } from '../../../agent/broker/process/broker-process.ts';
import { leaderOutcome, stoppedOutcome } from '../../../agent/lifecycle/exit/outcome.ts';

describe('the leader ends as its program did', () => {
  it.each([
    [0, 'The program has ended with 0'],
    [1, 'The program has ended with 1'],
    [3, 'The program has ended with 3'],
    [126, 'The program has ended with 126: a command is not executable, COMMAND itself or one that it ran'],
    [127, 'The program has ended with 127: a command was not found, COMMAND itself or one that it ran'],
    [128, 'The program has ended with 128'],
    [129, 'The program has ended with 129: signal 1 ended it'],
    [137, 'The program has ended with 137: signal 9 ended it'],
    [143, 'The program has ended with 143: signal 15 ended it'],
    [160, 'The program has ended with 160'],
    [255, 'The program has ended with 255'],
  ])('%i', (code, sentence) => {
    expect(leaderOutcome(endingOf(code, null))).toEqual({ code, sentence });
  });

  it.each([
    ['SIGKILL', 137],
    ['SIGSEGV', 139],
    ['SIGTERM', 143],
  ] as const)('or as its broker, which %s ended', (signal, code) => {
    expect(leaderOutcome(endingOf(null, signal))).toEqual({
      code,
      sentence: `The broker was ended by ${signal}`,
    });
  });
});

it.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
  ['SIGHUP', 129],
  ['SIGQUIT', 131],
] as const)('a pod that was stopped ends with 128+N: %s %i', (signal, code) => {
  expect(stoppedOutcome(signal)).toEqual({ code, sentence: `Stopped by ${signal}` });
});
