import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseVerbArguments } from '../../entrypoint/command-line/arguments.ts';
import { loadVerbs, verbs } from '../../entrypoint/verbs.ts';
import { copyProgram } from '../support/bed/program-copy.ts';

const names = Object.keys(verbs);
const rows = await loadVerbs();

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
}

describe('a verb', () => {
  it('has a file of its own name, and each file of a folder of verbs/ is the row of a verb', () => {
    const files = sources('entrypoint/verbs').filter((file) => file.includes('/'));
    const words = files.map((file) => basename(file, '.ts'));
    expect(words.toSorted()).toEqual(names.toSorted());
  });

  it.each(Object.entries(rows))('%s takes every flag of its row', (name, { flags, settings, takes }) => {
    const args = Object.entries({ ...settings, ...flags }).flatMap(([flag, { type }]) =>
      type === 'boolean' ? [`--${flag}`] : [`--${flag}`, 'x'],
    );
    const parsed = parseVerbArguments(name, args, { ...settings, ...flags }, takes);
    for (const flag of Object.keys({ ...settings, ...flags })) expect(parsed.flags).toHaveProperty([flag]);
  });

  // The bundles of demo/ and render/ have the types of their exports from the rows that load them.
  it.each(sources('entrypoint').filter((file) => !/^(verbs\.ts$|verbs\/|demo\/|render\/)/.test(file)))(
    'is not imported by %s: only verbs.ts imports rows',
    (file) => {
      expect(readFileSync(join('entrypoint', file), 'utf8')).not.toMatch(/'[./]+\/verbs\/\w+\//);
    },
  );
});

describe('a file of verbs/ whose row is added to verbs.ts', () => {
  it('is a verb with help, manual page, completion and suggestions, and no other file changes', () => {
    using program = copyProgram();
    program.write(
      'entrypoint/verbs/setup/colour.ts',
      `
import type { Verb } from '../verb.ts';

export const colour: Verb = {
  forms: { '[--shade SHADE] WORD': 'paints a word' },
  flags: { shade: { type: 'string', value: 'SHADE', choices: ['dark', 'light'], meaning: 'how much of it' } },
  takes: 1,
  words: ['red', 'green'],
  examples: ['flux-pod colour --shade dark red'],
  run: async ({ flags, positionals }) => {
    process.stdout.write(\`\${flags.shade} \${positionals}\`);
    return 3;
  },
};
`,
    );
    program.insert(
      'entrypoint/verbs.ts',
      '  run: async () =>',
      "  colour: async () => (await import('./verbs/setup/colour.ts')).colour,\n",
    );
    const printed = program.run(`
import { help } from './entrypoint/command-line/help.ts';
import { manPage } from './entrypoint/command-line/man-page.ts';
import { loadVerbs, runVerb } from './entrypoint/verbs.ts';

const write = process.stdout.write.bind(process.stdout);
async function textOf(act) {
  let text = '';
  process.stdout.write = (piece) => { text += piece; return true; };
  try { return [await act(), text]; }
  catch (error) { return [error.exitCode, error.message]; }
  finally { process.stdout.write = write; }
}
console.log(JSON.stringify({
  run: await textOf(() => runVerb('colour', ['--shade', 'dark', 'red'])),
  surplus: await textOf(() => runVerb('colour', ['--shad', 'dark', 'red'])),
  overview: await textOf(() => help([])),
  help: await textOf(() => help(['colour'])),
  meant: await textOf(() => help(['colur'])),
  bash: await textOf(() => runVerb('completion', ['bash'])),
  manual: manPage('1', await loadVerbs()),
}));
`);
    expect(printed).toEqual({
      run: [3, 'dark red'],
      surplus: [64, expect.stringContaining("Unknown option '--shad'; did you mean --shade?")],
      overview: [
        0,
        expect.stringMatching(
          /^ {2}flux-pod colour \[--shade SHADE\] WORD +paints a word\n {2}flux-pod run/m,
        ),
      ],
      help: [
        0,
        [
          '  flux-pod colour [--shade SHADE] WORD       paints a word\n',
          'Examples:\n  flux-pod colour --shade dark red\n',
          '  --shade SHADE\n      how much of it\n',
        ].join('\n'),
      ],
      meant: [64, expect.stringMatching(/expected one of colour, run, .*; did you mean colour\?$/)],
      bash: [
        0,
        expect.stringMatching(/"colour --shade"\).*"dark light".*\n *"colour "\*\).*"red green --shade"/),
      ],
      manual: expect.stringMatching(
        /^\.SS colour\n\.TP\n\.B flux\\-pod colour \[\\-\\-shade SHADE\] WORD\npaints a word\n\.TP\n\.B \\-\\-shade SHADE\nhow much of it\n/m,
      ),
    });
    expect(program.fluxPod('colur')).toMatchObject({
      status: 64,
      stderr: expect.stringMatching(
        /"flux-pod colur": expected one of colour, run, .*; did you mean colour\?/,
      ),
    });
    expect(program.fluxPod('colour', '--shade=dark', 'red')).toMatchObject({ status: 3, stdout: 'dark red' });
  });
});
