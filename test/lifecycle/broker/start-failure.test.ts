import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseLogLine } from '../../../agent/flux/services/broker-log.ts';
import { startFailureOf, watchSocket } from '../../../agent/lifecycle/broker/start-failure.ts';

/** As `log.dmesg` of flux-core 0.88 answers. */
const line = (severity: number, text: string, component = 'broker') =>
  parseLogLine(`<${severity * 8}>1 2026-11-26T04:35:50.671220Z 0 ${component} 23868 - - ${text}`) ??
  expect.fail(text);

const begun = [
  line(6, 'builtins-success: load-builtins->join 49.7042ms'),
  line(6, 'parent-none: join->config-sync 0.090372ms'),
  line(6, 'sync-none: config-sync->init 0.061447ms'),
];
const failed = (rc: number) => [
  line(3, `rc1.0: flux modprobe rc1 Exited (rc=${rc}) 0.4s`),
  line(6, 'rc1-fail: init->shutdown 0.4s'),
];
const trace = (...log: readonly ReturnType<typeof line>[]) => ({ madeSocket: true, log });

describe('a line of the broker’s log', () => {
  it('has a severity, a component and a text', () => {
    expect(line(3, 'rc1.0: a: b', 'cron')).toEqual({ severity: 3, component: 'cron', text: 'rc1.0: a: b' });
  });

  it.each(['', 'plain text', '<3>broker.err[0]: rc1.0'])('is not %j', (text) => {
    expect(parseLogLine(text)).toBeUndefined();
  });
});

describe('a broker could not start', () => {
  it.each([
    [
      'rc1 failed with an exception in Python',
      trace(
        ...begun,
        line(3, 'rc1.0: Traceback (most recent call last):'),
        line(6, 'rc1.0: this was on stdout'),
        line(3, "rc1.0: ModuleNotFoundError: No module named '_cffi_backend'"),
        line(3, 'rc1.0: '),
        ...failed(1),
      ),
      1,
      "rc1 exited with code 1: ModuleNotFoundError: No module named '_cffi_backend'",
    ],
    ['rc1 failed without a word', trace(...begun, ...failed(3)), 3, 'rc1 exited with code 3'],
    [
      'a program printed what looks like a transition',
      trace(...begun, line(6, 'cleanup-success: cleanup->shutdown 1s', 'user'), ...failed(1)),
      1,
      'rc1 exited with code 1',
    ],
    [
      'the quorum failed',
      trace(...begun, line(6, 'quorum-fail: quorum->shutdown 1s')),
      1,
      'it left state quorum (quorum-fail)',
    ],
    [
      'it refused its options',
      { madeSocket: false, log: [] },
      1,
      'it exited with code 1 before it opened its socket',
    ],
  ])('where %s', (_, seen, code, why) => {
    expect(startFailureOf(seen, code)).toBe(why);
  });

  it('and what rc1 wrote is shown up to 300 characters', () => {
    const long = trace(...begun, line(3, `rc1.0: ${'x'.repeat(9000)}`), ...failed(1));
    expect(startFailureOf(long, 1)).toBe(`rc1 exited with code 1: ${'x'.repeat(300)}`);
  });
});

describe('the exit code is the program’s', () => {
  it.each([
    ['where the program ran', trace(...begun, line(6, 'cleanup-success: cleanup->shutdown 9.1s'))],
    ['where the log could not be read', trace()],
    ['where the broker had not begun to shut down', trace(...begun)],
  ])('%s', (_, seen) => {
    expect(startFailureOf(seen, 1)).toBeUndefined();
  });
});

describe('a socket', () => {
  it('that is gone again is known to have been made, and one that was not is not', () => {
    const place = mkdtempSync(join(tmpdir(), 'flux-pod-socket-'));
    onTestFinished(() => rmSync(place, { recursive: true }));
    // Before Linux 6.13 the times of files may be equal that are milliseconds apart: each directory is as new as it can be.
    for (let made = 0; made < 100; made++) {
      const socket = join(place, `${made}/local`);
      mkdirSync(dirname(socket));
      const wasMade = watchSocket(socket);
      expect(wasMade()).toBe(false);
      writeFileSync(socket, '');
      rmSync(socket);
      expect(wasMade()).toBe(true);
    }
  });
});
