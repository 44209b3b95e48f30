import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeStateDirectory } from '../../../agent/broker/run-directory/state-directory.ts';

let volume: string;
beforeEach(() => {
  volume = mkdtempSync(join(tmpdir(), 'flux-pod-state-'));
});
afterEach(() => rmSync(volume, { recursive: true }));

describe('the state directory', () => {
  it('is made for its user alone where it is missing', () => {
    makeStateDirectory(join(volume, 'queue'));
    expect(statSync(join(volume, 'queue')).mode & 0o777).toBe(0o700);
  });

  it('stays as it is where it exists', () => {
    const path = join(volume, 'queue');
    mkdirSync(path);
    chmodSync(path, 0o750);
    writeFileSync(join(path, 'content.sqlite'), 'x');
    makeStateDirectory(path);
    expect(statSync(path).mode & 0o777).toBe(0o750);
    expect(statSync(join(path, 'content.sqlite')).size).toBe(1);
  });

  it('is named with the setting where it cannot be made', () => {
    expect(() => makeStateDirectory(join(volume, 'absent', 'queue'))).toThrow(
      expect.objectContaining({
        exitCode: 78,
        message: expect.stringMatching(/^Cannot make the state directory .*\/absent\/queue: ENOENT/),
        hint: expect.stringContaining('FLUX_POD_STATE_DIR'),
      }),
    );
  });
});
