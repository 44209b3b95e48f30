import { describe, expect, it } from 'vitest';
import { endingOf } from '../../../agent/broker/process.ts';
import { leaderOutcome, stoppedOutcome } from '../../../agent/lifecycle/exit/outcome.ts';

describe('the leader ends as its program did', () => {
  it.each([
    [0, 'The program exited with code 0'],
    [1, 'The program exited with code 1'],
    [3, 'The program exited with code 3'],
    [126, 'The program exited with code 126: a command is not executable, COMMAND itself or one that it ran'],
    [127, 'The program exited with code 127: a command was not found, COMMAND itself or one that it ran'],
    [128, 'The program exited with code 128'],
    [129, 'The program exited with code 129: signal 1 ended it'],
    [137, 'The program exited with code 137: signal 9 ended it'],
    [143, 'The program exited with code 143: signal 15 ended it'],
    [160, 'The program exited with code 160'],
    [255, 'The program exited with code 255'],
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
