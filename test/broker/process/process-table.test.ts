import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findProgram, listProcesses } from '../../../agent/broker/process/process-table.ts';

const places: string[] = [];
afterAll(() => {
  for (const place of places) rmSync(place, { recursive: true, force: true });
});

type Row = readonly [pid: number, parent: number, group: number, startedAt: number, state?: string];

/** A /proc with these processes of session 10, and what else there is in one. */
function procOf(...rows: readonly Row[]): string {
  const proc = mkdtempSync(join(tmpdir(), 'flux-pod-proc-'));
  places.push(proc);
  mkdirSync(join(proc, 'sys'));
  mkdirSync(join(proc, '99'));
  for (const [pid, parent, group, startedAt, state = 'S'] of rows) {
    mkdirSync(join(proc, String(pid)));
    const rest = Array.from({ length: 15 }, () => '0').join(' ');
    writeFileSync(
      join(proc, String(pid), 'stat'),
      `${pid} (a) b (c) ${state} ${parent} ${group} 10 ${rest} ${startedAt} 0 0\n`,
    );
  }
  return proc;
}

describe('the initial program of a broker', () => {
  it.each<[string, readonly Row[], number | undefined]>([
    ['is not there before it starts', [[10, 1, 10, 5]], undefined],
    [
      'is in the group of the broker, whatever is older',
      [
        [10, 1, 10, 5],
        [11, 10, 11, 6],
        [12, 10, 10, 7],
        [13, 12, 10, 8],
      ],
      12,
    ],
    [
      'is the oldest child where the broker starts all in its own group',
      [
        [10, 1, 10, 5],
        [400, 10, 10, 7],
        [12, 10, 10, 9],
      ],
      400,
    ],
    [
      'is the oldest child in a terminal, where the broker leads no group',
      [
        [10, 9, 9, 5],
        [12, 10, 12, 7],
        [13, 10, 13, 8],
      ],
      12,
    ],
    [
      'is not one that has ended and is not reaped yet',
      [
        [10, 1, 10, 5],
        [12, 10, 10, 7, 'Z'],
      ],
      undefined,
    ],
    ['is none of another broker', [[12, 20, 20, 7]], undefined],
  ])('%s', (_, rows, pid) => {
    expect(findProgram(10, true, procOf(...rows))).toBe(pid);
  });

  it('is found before its state is known where it shares a group with the broker, and not taken for rc1 in a terminal', () => {
    expect(findProgram(10, false, procOf([10, 1, 10, 5], [12, 10, 10, 7]))).toBe(12);
    expect(findProgram(10, false, procOf([10, 9, 9, 5], [12, 10, 12, 7]))).toBeUndefined();
  });

  it('of a process that does not exist is undefined', () => {
    expect(findProgram(2 ** 22 + 1, true)).toBeUndefined();
  });
});

describe('the list of processes', () => {
  it('has this one with its parent', () => {
    expect(listProcesses()).toContainEqual(
      expect.objectContaining({ pid: process.pid, parent: process.ppid }),
    );
  });
});
