import { describe, expect, it } from 'vitest';
import { createHold } from '../../../agent/lifecycle/exit/hold.ts';
import { configurationOf } from '../../support/agent/configuration.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';

const failed = { code: 75, sentence: 'The pre hook failed' };

/** A pod that ends with this outcome. `fault`: why it has no run-time directory. */
function end({
  outcome = failed,
  onFailure = 'hold',
  fault,
}: {
  outcome?: typeof failed;
  onFailure?: string;
  fault?: string;
} = {}) {
  const hold = createHold();
  const stop = new AbortController();
  const log = recordedLog();
  const states: object[] = [];
  const phases: string[] = [];
  const served = Promise.withResolvers<void>();
  const ended = hold.holdFailed(outcome, {
    configuration: configurationOf({ onFailure }),
    podState: { set: (parts) => void states.push(parts), warn: () => undefined },
    lifecycle: { enter: (phase) => void phases.push(phase) },
    signals: { stop: stop.signal },
    serve: async () => {
      served.resolve();
      return fault;
    },
    log,
  });
  const logged = () => log.lines.map(([level, sentence]) => `${level}: ${sentence}`);
  return { hold, stop, ended, states, phases, logged, served: served.promise };
}

describe('a pod that has failed', () => {
  it('is held until it is released, and serves its status meanwhile', async () => {
    const { hold, ended, states, phases, logged, served } = end();
    await served;
    expect(hold.isHeld()).toBe(true);
    expect(phases).toEqual(['hold']);
    expect(states).toEqual([{ held: true, lastError: { at: expect.any(Number), what: failed.sentence } }]);
    hold.release();
    await ended;
    expect(hold.isHeld()).toBe(false);
    expect(states.at(-1)).toEqual({ held: false });
    expect(logged()).toEqual([`error: ${failed.sentence}: the pod is held, \`flux-pod release\` ends it`]);
  });

  it('is held until a signal asks for the exit', async () => {
    const { hold, stop, ended, served } = end();
    await served;
    stop.abort();
    await ended;
    expect(hold.isHeld()).toBe(false);
  });

  it('is held no longer than FLUX_POD_ON_FAILURE allows', async () => {
    const { hold, ended } = end({ onFailure: 'hold:10ms' });
    await ended;
    expect(hold.isHeld()).toBe(false);
  });

  it('names the signal as the only way out where there is no run-time directory', async () => {
    const { hold, ended, logged, served } = end({ fault: 'Cannot use /run/flux-pod' });
    await served;
    hold.release();
    await ended;
    expect(logged()).toEqual([
      'warn: Cannot use /run/flux-pod',
      `error: ${failed.sentence}: the pod is held, only a signal ends it, because \`flux-pod release\` finds no run-time directory`,
    ]);
  });

  it.each<[string, Parameters<typeof end>[0]]>([
    ['FLUX_POD_ON_FAILURE does not ask for it', { onFailure: 'exit' }],
    ['it has not failed', { outcome: { code: 0, sentence: 'The program exited with code 0' } }],
  ])('is not held where %s', async (_, options) => {
    const { ended, phases } = end(options);
    await ended;
    expect(phases).toEqual([]);
  });
});
