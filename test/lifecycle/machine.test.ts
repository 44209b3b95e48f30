import { describe, expect, it } from 'vitest';
import type { Command, Event, Machine } from '../../agent/lifecycle/machine.ts';
import { runMachine } from '../../agent/lifecycle/run-machine.ts';

const outcome = { code: 3, sentence: 'over' };
const exit: Command = { do: 'exit', outcome, runsPost: true };
const drained: Event = { kind: 'drained' };

/** Notes its events, and commands what `commands` says. */
const machineOf = (
  commands: (event: Event, events: readonly Event[]) => readonly Command[],
  deadlines: (now: number) => Record<string, number> = () => ({}),
): Machine<readonly Event[]> => {
  let begun = 0;
  return {
    first: (now) => {
      begun = now;
      return { state: [], commands: [{ do: 'drain' }] };
    },
    next: (events, event) => ({ state: [...events, event], commands: commands(event, events) }),
    deadlinesOf: (events) => (events.length > 0 ? deadlines(begun) : {}),
  };
};

describe('a machine that is run', () => {
  it('has its commands executed in their order, and exits with what it says', async () => {
    const executed: string[] = [];
    const machine = machineOf(() => [{ do: 'kill broker' }, { do: 'close link' }, exit, { do: 'drain' }]);
    const { exited } = runMachine(machine, (command, feed) => {
      executed.push(command.do);
      if (command.do === 'drain') feed(drained);
    });
    expect(await exited).toMatchObject({ outcome, runsPost: true });
    expect(executed).toEqual(['drain', 'kill broker', 'close link']);
  });

  it('takes the next event when all commands of the one before have been given', async () => {
    const executed: string[] = [];
    const machine = machineOf((event) =>
      event.kind === 'drained'
        ? [{ do: 'kill broker' }, { do: 'close link' }]
        : [{ do: 'stop finding' }, exit],
    );
    const { exited } = runMachine(machine, (command, feed) => {
      executed.push(command.do);
      if (command.do === 'drain') feed(drained);
      if (command.do === 'kill broker') feed({ kind: 'link broken' });
    });
    await exited;
    expect(executed).toEqual(['drain', 'kill broker', 'close link', 'stop finding']);
  });

  it('is given its deadlines, the earliest first, and none before its time', async () => {
    const startedAt = performance.now();
    const seen: string[] = [];
    const machine = machineOf(
      (event) => {
        if (event.kind !== 'deadline') return [];
        seen.push(event.of);
        return [exit];
      },
      (begun) => ({ grace: begun + 60_000, leave: begun + 30 }),
    );
    const { feed, exited } = runMachine(machine, () => undefined);
    feed(drained);
    await exited;
    expect(seen).toEqual(['leave']);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(29);
  });

  it.each([
    [
      'thrown',
      () => {
        throw new Error('no way');
      },
    ],
    ['rejected', () => Promise.reject(new Error('no way'))],
  ])('learns of an error that a command has %s', async (_, fail) => {
    const failures: unknown[] = [];
    const machine = machineOf((event) => {
      if (event.kind === 'failed') failures.push(event.outcome);
      return [exit];
    });
    await runMachine(machine, fail).exited;
    expect(failures).toEqual([expect.objectContaining({ code: 70, sentence: 'no way' })]);
  });

  it('takes no event after its exit', async () => {
    let events = 0;
    const machine = machineOf(() => {
      events++;
      return [exit];
    });
    const { feed, exited } = runMachine(machine, () => undefined);
    feed(drained);
    feed(drained);
    await exited;
    feed(drained);
    expect(events).toBe(1);
  });
});
