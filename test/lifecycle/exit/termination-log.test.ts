import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ExitCode, PodError } from '../../../agent/errors.ts';
import { lastWords, writeTerminationLog } from '../../../agent/lifecycle/exit/termination-log.ts';

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'flux-pod-termination-'));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

const mounted = () => {
  const path = join(place, 'termination-log');
  writeFileSync(path, '');
  return path;
};

describe('the termination log', () => {
  it('has the sentence and the exit code', () => {
    const path = mounted();
    writeTerminationLog({ code: 137, sentence: 'The broker was ended by SIGKILL' }, path);
    expect(readFileSync(path, 'utf8')).toBe('The broker was ended by SIGKILL (exit 137)\n');
  });

  it('has at most the 4096 bytes that the kubelet reads, and no control characters', () => {
    const path = mounted();
    writeTerminationLog({ code: 1, sentence: `\x1b[31m${'x'.repeat(10_000)}` }, path);
    const text = readFileSync(path, 'utf8');
    expect(text).toHaveLength(4096);
    expect(text).not.toContain('\x1b');
  });

  it('is not made where the kubelet has mounted none', () => {
    const path = join(place, 'nowhere');
    writeTerminationLog({ code: 1, sentence: 'failed' }, path);
    expect(existsSync(path)).toBe(false);
  });

  it('that cannot be written changes nothing', () => {
    expect(() => writeTerminationLog({ code: 1, sentence: 'failed' }, place)).not.toThrow();
  });

  it('has the error of a pod whose configuration is wrong, which is thrown on', () => {
    const path = mounted();
    const error = new PodError(ExitCode.configuration, 'Cannot use this configuration');
    expect(() => lastWords(error, path)).toThrow(error);
    expect(readFileSync(path, 'utf8')).toBe('Cannot use this configuration (exit 78)\n');
  });
});
