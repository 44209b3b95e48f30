import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { help } from '../../entrypoint/command-line/help.ts';
import { manPage } from '../../entrypoint/command-line/man-page.ts';
import { jobIds } from '../../entrypoint/verbs/verb.ts';
import { loadVerbs, runVerb } from '../../entrypoint/verbs.ts';
import { written } from '../support/project/written.ts';

const verbs = await loadVerbs();
const completion = (args: readonly string[]) => runVerb('completion', args);

afterEach(() => vi.restoreAllMocks());

const directory = mkdtempSync(join(tmpdir(), 'flux-pod-help-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const stdoutOf = async (write: () => Promise<number>): Promise<string> => {
  const { code, stdout } = await written(write);
  expect(code).toBe(0);
  return stdout;
};

describe('flux-pod help', () => {
  it('has a line for each verb and what may stand behind it', async () => {
    const text = await stdoutOf(() => help([]));
    const lines = text.split('\n').map((line) => line.trim().replace(/ {2,}/, ' '));
    for (const [verb, { forms }] of Object.entries(verbs))
      for (const [form, meaning] of Object.entries(forms))
        expect(lines).toContain(`flux-pod ${verb} ${form} ${meaning}`.replace(/ {2,}/, ' '));
  });

  it.each(Object.keys(verbs))('of %s explains its own flags and no others', async (verb) => {
    const text = await stdoutOf(() => help([verb]));
    const { flags, settings = {} } = verbs[verb] ?? { flags: {} };
    const shown = [...text.matchAll(/^ {2}(?:-\w, )?--([\w-]+)/gm)].map(([, flag]) => flag);
    // --config is explained with all settings together.
    const owned = [...Object.keys(flags), ...Object.keys(settings).filter((flag) => flag !== 'config')];
    expect(shown.sort()).toEqual(owned.sort());
  });

  it.each(Object.entries(verbs))(
    'of %s has one to three examples, of that verb',
    async (verb, { examples }) => {
      const text = await stdoutOf(() => help([verb]));
      expect(examples.length).toBeGreaterThan(0);
      expect(examples.length).toBeLessThan(4);
      for (const line of examples) {
        expect(line).toContain(`flux-pod ${verb}`);
        expect(text).toContain(`\n  ${line}\n`);
      }
    },
  );

  it('of submit and of jobs begins with what is used most', () => {
    expect(Object.keys(verbs.submit?.flags ?? {}).slice(0, 2)).toEqual(['nodes', 'ntasks']);
    expect(Object.keys(verbs.jobs?.flags ?? {})[0]).toBe('all');
  });

  it('of a word that is no verb is refused, with the verb that was meant', async () => {
    await expect(help(['frob'])).rejects.toMatchObject({
      exitCode: 64,
      message: expect.stringMatching(
        /^Cannot help with "frob": expected one of run, .*; did you mean probe\?$/,
      ),
    });
    await expect(help(['sumbit'])).rejects.toThrow('did you mean submit?');
  });
});

describe('the manual page', () => {
  const page = manPage('1.2.3', verbs);

  it('has every verb, flag, setting and example', () => {
    const plain = page.replaceAll('\\-', '-').replaceAll('\\(aq', "'");
    for (const [verb, { flags, examples, settings = {} }] of Object.entries(verbs)) {
      expect(plain).toContain(`\n.SS ${verb}\n`);
      for (const line of examples) expect(plain).toContain(`\n${line}\n`);
      for (const flag of [...Object.keys(flags), ...Object.keys(settings)])
        expect(plain).toContain(`--${flag}`);
    }
  });

  const man = spawnSync('man', ['--version']).status === 0;
  if (!man) console.warn('SKIPPED: the manual page in man(1), which is not installed.');
  it.skipIf(!man)('is formatted by man without a warning', () => {
    const file = join(directory, 'flux-pod.1');
    writeFileSync(file, page);
    const { stdout, stderr, status } = spawnSync('man', ['--warnings', '-l', file], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '200', MANROFFSEQ: '', MANPAGER: 'cat' },
    });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(stdout).toContain('flux-pod submit --watch -N4 -- hostname');
    expect(stdout).toMatch(/-N, --nodes N\n +number of nodes\n/);
  });
});

describe('flux-pod completion', () => {
  it.each(['bash', 'zsh', 'fish'])('for %s has every verb and flag', async (shell) => {
    const text = await stdoutOf(() => completion([shell]));
    for (const [verb, { flags, settings = {} }] of Object.entries(verbs))
      for (const word of [verb, ...Object.keys(flags), ...Object.keys(settings)])
        expect(text).toContain(word);
  });

  const have = (shell: string) => spawnSync(shell, ['-c', 'exit 0']).status === 0;

  /** What a line that ends at the cursor is completed to; `flux-pod jobs` lists two jobs. */
  const inBash = async (...line: string[]): Promise<string[]> => {
    const script = await stdoutOf(() => completion(['bash']));
    const { stdout, stderr } = spawnSync(
      'bash',
      [
        '-c',
        `flux-pod() { printf 'JOBID NAME\\nf2qx7SvB x\\nf3 y\\n'; }
${script}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_flux_pod && printf '%s\\n' "\${COMPREPLY[@]}"`,
        'bash',
        'flux-pod',
        ...line,
      ],
      { encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    return stdout.split('\n').filter((word) => word !== '');
  };

  it.skipIf(!have('bash')).each([
    [['st'], ['status']],
    [
      ['run', '--mode', ''],
      ['start', 'submit', 'batch', 'interactive'],
    ],
    [['run', '--mode', 'ba'], ['batch']],
    [['run', '--mode', '=', 'ba'], ['batch']],
    [
      ['run', '--mode', '='],
      ['start', 'submit', 'batch', 'interactive'],
    ],
    [['run', '--log-f'], ['--log-format']],
    [
      ['run', '--log-format', ''],
      ['json', 'text'],
    ],
    [['submit', '-N'], ['-N']],
    [['submit', '-N', ''], []],
    [['submit', '--watch', '--url'], ['--url']],
    [['submit', '--', 'f'], []],
    [['jobs', '--state', 'FA'], ['FAILED']],
    [
      ['render', '-o', ''],
      ['yaml', 'json'],
    ],
    [['probe', 'r'], ['ready']],
    [['logs', 'f2'], ['f2qx7SvB']],
    [['cancel', 'f2qx7SvB', 'f3'], ['f3']],
    [
      ['shell', '--job', ''],
      ['f2qx7SvB', 'f3'],
    ],
    [['help', 'su'], ['submit']],
  ])('in bash completes %j to %j', async (line, words) => {
    expect(await inBash(...line)).toEqual(words);
  });

  it.each(['zsh', 'fish'])('for %s is a script that this shell reads', async (shell) => {
    if (!have(shell)) return console.warn(`SKIPPED: the completion of ${shell}, which is not installed.`);
    const file = join(directory, `completion.${shell}`);
    writeFileSync(file, await stdoutOf(() => completion([shell])));
    const { stderr, status } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  });

  it('offers the ids of jobs where an ID is wanted, and nowhere else', () => {
    const wanting = Object.entries(verbs).filter(([, { words }]) => words === jobIds);
    expect(wanting.map(([verb]) => verb)).toEqual(['logs', 'cancel']);
  });
});
