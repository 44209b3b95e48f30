import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createQuorumReport } from '../../agent/lifecycle/report-quorum.ts';
import { observed } from '../support/observed.ts';
import { recordedLog } from '../support/recorded-log.ts';

const waiting = () => {
  const observations = observed({ state: 'quorum' });
  if (observations.broker) observations.broker.online = [0, 1];
  return observations;
};

describe('the report of a quorum that is not there', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('names the missing hosts once the wait is longer than usual, and once only', async () => {
    const log = recordedLog();
    createQuorumReport(waiting(), log)('quorum');
    await vi.advanceTimersByTimeAsync(4999);
    expect(log.lines).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await vi.dynamicImportSettled();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(log.lines.map(([, message]) => message)).toEqual([
      'Waiting for the quorum: 2 of the 4 brokers of the quorum are online, not mc-[2-3]: has the Job 4 completions, as FLUX_POD_SIZE says?',
    ]);
  });

  it.each(['run', 'shutdown'] as const)(
    'says nothing where the broker is in state %s by then',
    async (state) => {
      const log = recordedLog();
      const report = createQuorumReport(waiting(), log);
      report('quorum');
      await vi.advanceTimersByTimeAsync(4999);
      report(state);
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect(log.lines).toEqual([]);
    },
  );
});
