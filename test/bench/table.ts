/** One row of a benchmark's table. */
export const row = (name: string, cells: readonly string[]): string =>
  `${name.padEnd(30)}${cells.map((cell) => cell.padStart(10)).join('')}`;
