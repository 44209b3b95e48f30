import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { quoted, toLine } from '../../../../agent/shell-words.ts';
import {
  fluxContainerOf,
  type GivenSpec,
  manifest,
  render,
} from '../../../support/manifests/miniclusters.ts';

const directory = mkdtempSync(join(tmpdir(), 'flux-pod-quoting-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const shells = ['sh', 'bash', 'dash'].filter((shell) => spawnSync(shell, ['-c', 'true']).status === 0);
const env = { PATH: '/usr/bin:/bin' };
const run = (shell: string, script: string, more = {}): string =>
  execFileSync(shell, ['-c', script], {
    env: { ...env, ...more },
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  }).toString();

/** Text that shells read as something, among any other; a null character ends a text in C and is refused. */
const special = fc.constantFrom(
  ...[
    "'",
    '"',
    '`',
    '$(touch ran)',
    '`touch ran`',
    '$HOME',
    '\n',
    '\\',
    ' ',
    ';touch ran;',
    '&',
    '|',
    '~',
    '*',
    '%s',
    '!',
    '#',
  ],
  ...[
    '\nEND\ntouch ran\n',
    '\nEND-OF-ENVIRONMENT\ntouch ran\n',
    "'; touch ran; '",
    '=',
    '-',
    '\t',
    '\r',
    '\x01',
    '\x7f',
    '{a,b}',
    '$$',
    '\\n',
  ],
);
const anyText = fc
  .array(fc.oneof(special, fc.string({ unit: 'binary', maxLength: 5 })), { maxLength: 6 })
  .map((parts) => parts.join('').replaceAll('\0', ''));
const anyPathList = anyText.map((text) => text.replace(/\p{Cc}/gu, ''));
const anyPath = anyText.map((text) => `/${text.replace(/[:\p{Cc}]/gu, '')}`);
const nothingRan = () => expect(readdirSync(directory).filter((name) => name === 'ran')).toEqual([]);

describe.each(shells)('in %s', (shell) => {
  it('quoted text is one word of exactly its bytes', () => {
    fc.assert(
      fc.property(fc.array(anyText, { minLength: 1, maxLength: 5 }), (words) => {
        const line = `printf '%s\\0' ${toLine(words)}`;
        expect(run(shell, line)).toBe(words.map((word) => `${word}\0`).join(''));
        // As a line that a script writes for another shell.
        expect(run(shell, run(shell, `printf '%s\\n' ${quoted(line)}`))).toBe(
          words.map((word) => `${word}\0`).join(''),
        );
      }),
      { numRuns: 30 },
    );
    nothingRan();
  });
});

/** The scripts of a MiniCluster, with flux-pod's own places moved below `here`. */
function scripts(spec: GivenSpec, container: GivenSpec, here: string): Record<string, string> {
  const texts = manifest(render(spec, container), 'ConfigMap').data ?? {};
  const places = ['/opt/views', '/opt/view', '/opt/software'];
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [
      name,
      places.reduce((script, place) => script.replaceAll(place, `${here}${place}`), text),
    ]),
  );
}

/** A new directory with a view in it. */
function viewImage(): string {
  const here = mkdtempSync(join(directory, 'pod-'));
  mkdirSync(join(here, 'opt/view/bin'), { recursive: true });
  mkdirSync(join(here, 'opt/view/lib/python3.11/site-packages'), { recursive: true });
  return here;
}

describe('what a MiniCluster says', () => {
  it('is in the view’s script and in what that writes exactly what it was, whatever is in it', () => {
    const given = fc.record({
      view: anyPath,
      value: anyText,
      python: fc.option(anyPathList, { nil: undefined }),
    });
    fc.assert(
      fc.property(given, ({ view, value, python }) => {
        const here = viewImage();
        const mountPath = `${here}${view}`.replace(/\/+$/, '');
        const container = { mountPath, ...(python !== undefined && { pythonPath: python }) };
        const texts = scripts({ flux: { container, environment: { GIVEN: value } } }, {}, here);
        run('bash', texts['view.sh'] ?? '');
        const file = join(mountPath, 'flux-view.sh');
        for (const shell of shells) {
          const told = run(
            shell,
            `. "$FILE" && printf '%s\\0' "$PATH" "$PYTHONPATH" "$LD_LIBRARY_PATH" "$GIVEN"`,
            { FILE: file },
          );
          expect(told.split('\0')).toEqual([
            `${env.PATH}:${mountPath}/view/bin`,
            `${python ? `${python}:` : ''}${mountPath}/view/lib/python3.11/site-packages`,
            `${mountPath}/view/lib`,
            value,
            '',
          ]);
        }
      }),
      { numRuns: 15 },
    );
    nothingRan();
  });

  it('is in start.sh exactly what it was', () => {
    const given = fc.record({ view: anyPath, logs: anyPath, archive: anyPath, python: anyPathList });
    fc.assert(
      fc.property(given, ({ view, logs, archive, python }) => {
        const here = mkdtempSync(join(directory, 'pod-'));
        const path = `${here}${archive.replace(/\s/g, '')}-archive`;
        mkdirSync(join(path, '..'), { recursive: true });
        writeFileSync(path, '');
        const mountPath = `${here}${view}`.replace(/\/+$/, '');
        mkdirSync(join(mountPath, 'view/bin'), { recursive: true });
        const flux = { container: { mountPath, pythonPath: python } };
        const made = `${here}${logs}`;
        const texts = scripts({ flux, archive: { path } }, { logs: made }, here);
        const { stdout } = spawnSync(
          'bash',
          [
            '-c',
            texts['start.sh'] ?? '',
            'bash',
            ...['sh', '-c', 'printf "%s\\0" "$PATH" "$PYTHONPATH" "$FLUX_POD_BROKER_OPTIONS"'],
          ],
          {
            env: { ...env, JOB_COMPLETION_INDEX: '0' },
            cwd: directory,
            encoding: 'utf8',
            stdio: ['ignore', 'pipe', 'pipe'],
          },
        );
        expect(stdout.split('\0')).toEqual([
          `${env.PATH}:${mountPath}/view/bin`,
          python,
          ` -Scontent.restore=${path}`,
          '',
        ]);
        expect(existsSync(made)).toBe(true);
      }),
      { numRuns: 15 },
    );
    nothingRan();
  });

  it('is in the lines of a batch exactly what it was', () => {
    fc.assert(
      fc.property(anyPath, (logs) => {
        const command =
          fluxContainerOf(render({}, { batch: true, logs, command: 'a b' })).command?.at(-1) ?? '';
        // What the kubelet makes of it.
        const line = command.replaceAll('$$', '$');
        expect(run('sh', `printf '%s\\0' ${line}`).split('\0')).toEqual([
          `--error=${logs}/job-0.err`,
          `--output=${logs}/job-0.out`,
          'a',
          'b',
          '',
        ]);
      }),
      { numRuns: 15 },
    );
    nothingRan();
  });
});

describe('is refused, with its place:', () => {
  it.each<[string, GivenSpec, string]>([
    [
      'a path with a line end',
      { flux: { container: { mountPath: '/mnt/x\ntouch ran' } } },
      'spec.flux.container.mountPath: expected an absolute path',
    ],
    [
      'a relative path',
      { flux: { container: { mountPath: '$(touch ran)' } } },
      'spec.flux.container.mountPath: expected an absolute path',
    ],
    [
      'a variable that is a command',
      { flux: { environment: { 'B;touch\tran;C': 'x' } } },
      'spec.flux.environment["B;touch\\tran;C"]: is no name for a variable of a shell',
    ],
    [
      'an archive that is two options',
      { archive: { path: '/a -Sx=y' } },
      'spec.archive.path: cannot have white space',
    ],
    [
      'a duration that is two options',
      { flux: { connectTimeout: '5s -Sx=y' } },
      'spec.flux.connectTimeout: expected a duration',
    ],
    [
      'a null character',
      { flux: { environment: { A: 'a\0b' } } },
      'spec.flux.environment.A: expected text without a null character',
    ],
  ])('%s', (_, spec, sentence) => {
    expect(() => render(spec)).toThrow(sentence);
  });
});

describe('runs nothing:', () => {
  it.each<[string, GivenSpec]>([
    ['a mountPath with a command in it', { container: { mountPath: '/mnt/$(touch ran)x' } }],
    ['a value that ends the here-document', { environment: { A: 'x\nEND-OF-ENVIRONMENT\ntouch ran\n' } }],
    ['a pythonPath with a command in it', { container: { pythonPath: '/p$(touch ran)' } }],
  ])('%s', (_, flux) => {
    const here = viewImage();
    const { container = {}, ...rest } = flux as { container?: { mountPath?: string } };
    const mountPath = `${here}${container.mountPath ?? '/mnt/flux'}`;
    const { 'view.sh': script = '' } = scripts(
      { flux: { ...rest, container: { ...container, mountPath } } },
      {},
      here,
    );
    run('bash', script);
    run('sh', readFileSync(join(mountPath, 'flux-view.sh'), 'utf8'));
    expect(existsSync(join(directory, 'ran'))).toBe(false);
  });
});
