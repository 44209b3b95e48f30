import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { withSettingsTable } from '../agent/config/reference.ts';
import { ExitCode } from '../agent/errors.ts';

const readme = readFileSync('README.md', 'utf8');

describe('the README', () => {
  it('has the settings as the schema has them (else: npm run docs)', () => {
    expect(readme).toBe(withSettingsTable(readme));
  });

  it.each(Object.entries(ExitCode))('explains the exit code of %s', (_, code) => {
    expect(readme).toMatch(new RegExp(`^\\| ${code} \\|`, 'm'));
  });
});
