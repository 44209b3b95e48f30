import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const notCopied = ['node_modules', 'dist', 'test', 'docs', 'examples'];

export interface ProgramCopy extends Disposable {
  /** Puts `text` before the first `before` of a file, which must have one. */
  readonly insert: (file: string, before: string, text: string) => void;
  readonly write: (file: string, text: string) => void;
  /** What the module `text`, which may import from `./agent` and `./entrypoint`, prints as JSON. */
  readonly run: (text: string) => unknown;
  readonly fluxPod: (...args: string[]) => { status: number | null; stdout: string; stderr: string };
}

/** The sources of flux-pod in a directory of their own, where a test can change them. */
export function copyProgram(): ProgramCopy {
  const directory = mkdtempSync(join(tmpdir(), 'flux-pod-copy-'));
  for (const name of readdirSync('.'))
    if (!name.startsWith('.') && !notCopied.includes(name))
      cpSync(name, join(directory, name), { recursive: true });
  symlinkSync(resolve('node_modules'), join(directory, 'node_modules'));
  const write = (file: string, text: string) => writeFileSync(join(directory, file), text);
  const node = (...args: string[]) =>
    spawnSync(process.execPath, args, { cwd: directory, encoding: 'utf8', timeout: 60_000 });
  return {
    write,
    insert: (file, before, text) => {
      const source = readFileSync(join(directory, file), 'utf8');
      if (!source.includes(before)) throw new Error(`${file} has no ${JSON.stringify(before)}`);
      write(
        file,
        source.replace(before, () => `${text}${before}`),
      );
    },
    run: (text) => {
      write('probe.ts', text);
      const { status, stdout, stderr } = node('probe.ts');
      if (status !== 0) throw new Error(`exit code ${status}:\n${stderr}`);
      return JSON.parse(stdout);
    },
    fluxPod: (...args) => node('entrypoint/main.ts', ...args),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}
