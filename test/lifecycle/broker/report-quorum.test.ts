import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { membershipOf } from '../../../agent/broker/membership.ts';
import { createQuorumReport } from '../../../agent/lifecycle/broker/report-quorum.ts';
import type { Log } from '../../../agent/log.ts';
import { configurationOf } from '../../support/agent/configuration.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';

const configuration = configurationOf({ size: 4 });
const quorumReport = (log: Log) =>
  createQuorumReport(configuration, membershipOf(configuration), () => [0, 1], log);

describe('the report of a quorum that is not there', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('names the missing hosts once the wait is longer than usual, and each minute while it goes on', async () => {
    const log = recordedLog();
    quorumReport(log)('quorum');
    await vi.advanceTimersByTimeAsync(4999);
    expect(log.lines).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await vi.dynamicImportSettled();
    const message =
      'Waiting for the quorum: 2 of the 4 brokers of the quorum are online, not mc-[2-3]: has the Job 4 completions, as FLUX_POD_SIZE says?';
    expect(log.lines.map(([, line]) => line)).toEqual([message]);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(log.lines.map(([, line]) => line)).toEqual([message, message, message]);
  });

  it.each(['run', 'shutdown'] as const)(
    'says nothing where the broker is in state %s by then',
    async (state) => {
      const log = recordedLog();
      const report = quorumReport(log);
      report('quorum');
      await vi.advanceTimersByTimeAsync(4999);
      report(state);
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect(log.lines).toEqual([]);
    },
  );
});
