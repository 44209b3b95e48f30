import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const measurements = readFileSync('docs/measurements.md', 'utf8');
const [, measured = ''] = /^## Measured$(.*?)^## /ms.exec(readFileSync('docs/comparison.md', 'utf8')) ?? [];
const figures = measured
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
  .flatMap((line) => line.split('|').map((cell) => cell.trim()))
  .filter((cell) => /^\d+\.\d+$/.test(cell));

describe('docs/comparison.md', () => {
  it('has figures', () => expect(figures.length).toBeGreaterThan(5));

  it.each(figures)('%s is what docs/measurements.md says was measured', (figure) => {
    expect(measurements).toMatch(new RegExp(`^\\|.*\\| ${figure.replace('.', '\\.')} \\|`, 'm'));
  });
});
