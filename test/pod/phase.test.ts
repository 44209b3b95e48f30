import { describe, expect, it } from 'vitest';
import { createLifecycle, type Phase, phases } from '../../agent/pod/phase.ts';
import { recordedLog } from '../support/agent/recorded-log.ts';

/** A lifecycle with a clock that only `pass` moves. */
function startLifecycle() {
  let now = Date.parse('2026-01-01T00:00:00Z');
  const log = recordedLog();
  const lifecycle = createLifecycle(log, () => now);
  const pass = (ms: number) => {
    now += ms;
  };
  return { lifecycle, lines: log.lines, pass };
}

/** How a pod gets to each phase on the shortest way. */
const ways: Record<Phase, readonly Phase[]> = {
  configure: [],
  prepare: ['prepare'],
  'await-parent': ['prepare', 'await-parent'],
  'await-broker': ['await-broker'],
  broker: ['prepare', 'broker'],
  hold: ['prepare', 'hold'],
  exit: ['exit'],
};

describe('the life of a pod', () => {
  const allowed = [
    'configure -> prepare',
    'configure -> await-broker',
    'configure -> exit',
    'prepare -> await-parent',
    'prepare -> broker',
    'prepare -> hold',
    'prepare -> exit',
    'await-parent -> broker',
    'await-parent -> hold',
    'await-parent -> exit',
    'await-broker -> broker',
    'await-broker -> exit',
    'broker -> await-parent',
    'broker -> await-broker',
    'broker -> hold',
    'broker -> exit',
    'hold -> exit',
  ];

  it.each(phases.flatMap((from) => phases.map((to) => [from, to] as const)))('%s -> %s', (from, to) => {
    const { lifecycle } = startLifecycle();
    for (const phase of ways[from]) lifecycle.enter(phase);
    const before = lifecycle.history.length;
    if (allowed.includes(`${from} -> ${to}`)) {
      lifecycle.enter(to);
      expect(lifecycle.current().phase).toBe(to);
      expect(lifecycle.history).toHaveLength(before + 1);
    } else {
      expect(() => lifecycle.enter(to)).toThrow(`No way from phase ${from} to ${to}`);
      expect(lifecycle.current().phase).toBe(from);
      expect(lifecycle.history).toHaveLength(before);
    }
  });

  it('begins with configure, which needs no line', () => {
    const { lifecycle, lines } = startLifecycle();
    expect(lifecycle.current()).toEqual({ phase: 'configure', since: Date.parse('2026-01-01T00:00:00Z') });
    expect(lines).toEqual([]);
  });

  it('is remembered, with the time of each phase', () => {
    const { lifecycle, pass } = startLifecycle();
    for (const phase of ['prepare', 'await-parent', 'broker', 'await-parent', 'exit'] as const) {
      pass(1000);
      lifecycle.enter(phase);
    }
    expect(
      lifecycle.history.map(({ phase, since }) => `${phase} ${new Date(since).getUTCSeconds()}`),
    ).toEqual(['configure 0', 'prepare 1', 'await-parent 2', 'broker 3', 'await-parent 4', 'exit 5']);
  });

  it('is logged, a line a phase: its name, the one before, and how long that took', () => {
    const { lifecycle, lines, pass } = startLifecycle();
    pass(7);
    lifecycle.enter('prepare');
    pass(30);
    lifecycle.enter('broker', { pid: 12 });
    expect(lines).toEqual([
      ['info', 'Phase prepare', { phase: 'prepare', after: 'configure', tookMs: 7 }],
      ['info', 'Phase broker', { phase: 'broker', after: 'prepare', tookMs: 30, pid: 12 }],
    ]);
  });

  it('is not logged where the transition is refused', () => {
    const { lifecycle, lines } = startLifecycle();
    expect(() => lifecycle.enter('broker')).toThrow();
    expect(lines).toEqual([]);
  });
});
