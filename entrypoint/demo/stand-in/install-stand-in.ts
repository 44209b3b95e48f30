import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inQuotes } from '../../../agent/shell-words.ts';

/** Writes an executable `flux` into `directory` that is the stand-in, run by this Node.js out of demo.cjs. Returns its path. */
export function writeStandInFlux(
  directory: string,
  program = join(dirname(process.argv[1] ?? ''), 'demo.cjs'),
  node = process.execPath,
): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, 'flux');
  const quoted = [node, program].map(inQuotes).join(' ');
  writeFileSync(path, `#!/bin/sh\nexec ${quoted} stand-in-flux "$@"\n`, { mode: 0o755 });
  return path;
}
