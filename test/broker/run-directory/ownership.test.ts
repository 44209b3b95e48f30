import type { Stats } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { directoryFault, isOpen, socketFault } from '../../../agent/broker/run-directory/ownership.ts';

const entry = (kind: 'directory' | 'socket' | 'link', uid: number, mode: number): Stats =>
  ({
    uid,
    mode,
    isDirectory: () => kind === 'directory',
    isSocket: () => kind === 'socket',
  }) as Stats;

describe('a directory is one user’s alone', () => {
  it.each([
    ['where it is private', entry('directory', 7, 0o700), undefined],
    ['where others can read it', entry('directory', 7, 0o755), undefined],
    ['not where it is a link', entry('link', 7, 0o777), 'it is no directory'],
    ['not where it is root’s', entry('directory', 0, 0o700), 'it belongs to user 0, not to user 7'],
    ['not where it is another’s', entry('directory', 8, 0o700), 'it belongs to user 8, not to user 7'],
    ['not where its group writes', entry('directory', 7, 0o2770), 'other users can write in it (mode 02770)'],
    ['not where all write', entry('directory', 7, 0o702), 'other users can write in it (mode 0702)'],
    ['not where it is sticky', entry('directory', 7, 0o1777), 'other users can write in it (mode 01777)'],
  ])('%s', (_, directory, fault) => expect(directoryFault(directory, 7)).toBe(fault));
});

describe('a socket is one user’s alone', () => {
  it.each([
    ['where it is private', entry('socket', 7, 0o700), undefined],
    ['not where it is a link', entry('link', 7, 0o777), 'it is no socket'],
    ['not where it is another’s', entry('socket', 0, 0o700), 'it belongs to user 0, not to user 7'],
    ['not where all connect', entry('socket', 7, 0o777), 'other users can connect to it (mode 0777)'],
  ])('%s', (_, socket, fault) => expect(socketFault(socket, 7)).toBe(fault));
});

it.each([
  ['as /run', 0, 0o755, false],
  ['as /tmp, which is sticky', 0, 0o1777, false],
  ['as an emptyDir', 0, 0o777, true],
  ['of another user', 7, 0o755, true],
] as const)('a parent %s', (_, uid, mode, open) => {
  expect(isOpen(entry('directory', uid, mode))).toBe(open);
});
