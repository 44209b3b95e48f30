import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { usualBundles, writeBundle } from '../../entrypoint/doctor/write-bundle.ts';

function emptyDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bundle-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

describe('the bundle of flux-pod doctor', () => {
  it('is written to the first place that takes it, for this user only', () => {
    const [first, second] = [join(emptyDirectory(), 'a'), join(emptyDirectory(), 'b')];
    expect(writeBundle('all', ['/proc/bundle', first, second])).toBe(first);
    expect(readFileSync(first, 'utf8')).toBe('all');
    expect((statSync(first).mode & 0o777).toString(8)).toBe('600');
    expect(existsSync(second)).toBe(false);
  });

  it('names the place that does not take it, and the way out', () => {
    expect(() => writeBundle('all', ['/proc/bundle'])).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^Cannot write \/proc\/bundle: /),
        hint: expect.stringContaining('`--bundle -` writes to stdout'),
      }),
    );
  });

  it('has absolute paths for its usual places, the working directory first', () => {
    expect(usualBundles()[0]).toBe(join(process.cwd(), 'flux-pod-bundle.txt'));
    expect(usualBundles().every(isAbsolute)).toBe(true);
  });
});
