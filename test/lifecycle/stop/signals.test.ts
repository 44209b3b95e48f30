import { describe, expect, it } from 'vitest';
import { handleSignals } from '../../../agent/lifecycle/stop/signals.ts';

/** A process that receives signals, and the program `pid` that it sends them to while that runs. */
function begin({ terminal = false, pid }: { terminal?: boolean; pid?: number } = {}) {
  const listeners = new Map<NodeJS.Signals, () => void>();
  const sent: string[] = [];
  const stops: string[] = [];
  const states: unknown[] = [];
  const signals = handleSignals(
    terminal,
    { set: (parts) => void states.push(parts), warn: () => undefined },
    {
      on: (signal, listener) => listeners.set(signal, listener),
      kill: (to, signal) => {
        if (to !== pid) throw new Error('ESRCH');
        sent.push(`program ${String(signal)}`);
        return true;
      },
    },
  );
  const forward = (program: number | undefined) =>
    signals.forwardTo({ program: () => program, pass: (signal) => void sent.push(`broker ${signal}`) });
  const listen = () => signals.onStop((signal) => void stops.push(signal));
  return {
    signals,
    forward,
    listen,
    sent,
    stops,
    states,
    receive: (name: NodeJS.Signals) => listeners.get(name)?.(),
  };
}

describe('SIGTERM', () => {
  it('asks for the exit, and the first signal that does decides the exit code', () => {
    const { signals, receive, stops, listen, states } = begin();
    listen();
    receive('SIGTERM');
    receive('SIGINT');
    expect(signals.stop.aborted).toBe(true);
    expect(signals.stoppedBy()).toBe('SIGTERM');
    expect(stops).toEqual(['SIGTERM', 'SIGINT']);
    expect(states.at(-1)).toEqual({ stoppedBy: 'SIGTERM' });
  });

  it('that comes before anything listens is not lost', () => {
    const { receive, stops, listen } = begin();
    receive('SIGTERM');
    listen();
    expect(stops).toEqual(['SIGTERM']);
  });

  it('is never the program’s', () => {
    const { receive, forward, sent, signals } = begin({ pid: 7 });
    forward(7);
    receive('SIGTERM');
    expect(sent).toEqual([]);
    expect(signals.stop.aborted).toBe(true);
  });
});

describe.each(['SIGINT', 'SIGHUP', 'SIGQUIT'] as const)('%s', (name) => {
  it('goes to the program while it runs, and asks for no exit', () => {
    const { receive, forward, sent, signals } = begin({ pid: 7 });
    forward(7);
    receive(name);
    expect(sent).toEqual([`program ${name}`]);
    expect(signals.stop.aborted).toBe(false);
  });

  it.each<[string, number | undefined]>([
    ['no program runs', undefined],
    ['the program has just exited', 8],
  ])('asks for the exit where %s', (_, program) => {
    const { receive, forward, sent, signals } = begin({ pid: 7 });
    forward(program);
    receive(name);
    expect(sent).toEqual([]);
    expect(signals.stoppedBy()).toBe(name);
  });

  it(`${name === 'SIGHUP' ? 'is forwarded' : 'is the terminal’s to send to the broker'} where there is a terminal`, () => {
    const { receive, forward, sent, signals } = begin({ terminal: true, pid: 7 });
    forward(7);
    receive(name);
    expect(sent).toEqual(name === 'SIGHUP' ? ['program SIGHUP'] : []);
    expect(signals.stop.aborted).toBe(false);
  });
});

describe.each(['SIGUSR1', 'SIGUSR2'] as const)('%s', (name) => {
  it('goes to the program, else to the broker, and without a broker nowhere', () => {
    const { receive, forward, sent, signals } = begin({ pid: 7 });
    receive(name);
    forward(undefined);
    receive(name);
    forward(7);
    receive(name);
    expect(sent).toEqual([`broker ${name}`, `program ${name}`]);
    expect(signals.stop.aborted).toBe(false);
  });
});
