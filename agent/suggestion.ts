/** The name that a misspelt one was meant to be. Data in, data out. */

/** Edits that are still taken for a slip. */
const mostEdits = 3;

/** `; did you mean X?`, else nothing: for the end of a sentence that refuses `written`. */
export function didYouMean(written: string, known: readonly string[]): string {
  const name = nearest(written, known);
  return name === undefined ? '' : `; did you mean ${name}?`;
}

/** The known name at the fewest edits, at most three and half of the letters; else the shortest one that begins so. */
export function nearest(written: string, known: readonly string[]): string | undefined {
  const most = Math.min(mostEdits, Math.ceil(written.length / 2));
  const [near] = known
    .map((name) => ({ name, distance: editDistance(written, name) }))
    .sort((a, b) => a.distance - b.distance);
  if (near && near.distance <= most) return near.name;
  const isBeginning = /\w{3}/.test(written);
  return known
    .filter((name) => isBeginning && name.startsWith(written))
    .sort((a, b) => a.length - b.length)[0];
}

/** Levenshtein's distance: letters to insert, delete or change. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [row, letter] of [...from].entries()) {
    const current = [row + 1];
    for (const [column, other] of [...to].entries()) {
      const change = (previous[column] ?? 0) + (letter === other ? 0 : 1);
      current.push(Math.min(change, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous.at(-1) ?? 0;
}
