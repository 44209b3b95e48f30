/** Which file of the project imports which, read from the source: for the tests of the layout. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Imports {
  /** Files of the project, by their paths from its top. */
  readonly files: readonly string[];
  /** Names of Node.js's modules and of packages. */
  readonly modules: readonly string[];
}

/** The imports of all TypeScript files below these directories, those that are loaded later and those of types included. */
export function readImports(directories: readonly string[]): ReadonlyMap<string, Imports> {
  const files = directories.flatMap((directory) =>
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => join(directory, name)),
  );
  return new Map(files.map((file) => [file, importsOf(file)]));
}

function importsOf(file: string): Imports {
  const text = readFileSync(file, 'utf8');
  const imported = [
    ...text.matchAll(/(?:^import |^\} from |^(?:import|export) .* from |\bimport\()'([^']+)'/gm),
  ];
  const names = imported.map(([, name = '']) => name);
  return {
    files: names.filter((name) => name.startsWith('.')).map((name) => join(dirname(file), name)),
    modules: names.filter((name) => !name.startsWith('.')),
  };
}

/** All files that these import, and those that they import, and so on. */
export function reachedFrom(imports: ReadonlyMap<string, Imports>, starts: readonly string[]): string[] {
  const reached = new Set<string>();
  const queue = [...starts];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    queue.push(...(imports.get(file)?.files ?? []));
  }
  return [...reached];
}
