import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const readme = readFileSync('README.md', 'utf8');
const [, measured = ''] = /^## Measured$(.*?)^## /ms.exec(readFileSync('docs/comparison.md', 'utf8')) ?? [];
const figures = measured
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
  .flatMap((line) => line.split('|').map((cell) => cell.trim()))
  .filter((cell) => /^\d+\.\d+$/.test(cell));

describe('docs/comparison.md', () => {
  it('has figures', () => expect(figures.length).toBeGreaterThan(5));

  it.each(figures)('%s is what the README says was measured', (figure) => {
    expect(readme).toMatch(new RegExp(`^\\|.*\\| ${figure.replace('.', '\\.')} \\|`, 'm'));
  });
});
