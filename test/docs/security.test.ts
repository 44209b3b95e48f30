import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const page = readFileSync('docs/security.md', 'utf8');
/** Paths in backticks that name a source or a test; `test/http/*` names a folder. */
const paths = [
  ...new Set([...page.matchAll(/`((?:agent|entrypoint|test)\/[\w./{},*-]+)`/g)].map(([, path = '']) => path)),
];

const exists = (path: string): boolean => existsSync(path.replace(/\/\*$/, ''));

describe('docs/security.md', () => {
  it('names tests that hold its claims', () =>
    expect(paths.filter((path) => path.startsWith('test/')).length).toBeGreaterThan(20));

  it.each(paths.filter((path) => !path.includes('{')))('%s is there', (path) =>
    expect(exists(path)).toBe(true),
  );
});
