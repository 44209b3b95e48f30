import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { withSettingsTable } from '../agent/config/reference.ts';
import { ExitCode } from '../agent/errors.ts';

const readme = readFileSync('README.md', 'utf8');
const settingsPage = readFileSync('docs/settings.md', 'utf8');

describe('the README', () => {
  it('is short enough to be read at once', () => {
    expect(readme.split('\n').length).toBeLessThanOrEqual(150);
  });
});

describe('docs/settings.md', () => {
  it('has the settings as the schema has them (else: npm run docs)', () => {
    expect(settingsPage).toBe(withSettingsTable(settingsPage));
  });

  it.each(Object.entries(ExitCode))('explains the exit code of %s', (_, code) => {
    expect(settingsPage).toMatch(new RegExp(`^\\| ${code} \\|`, 'm'));
  });
});
