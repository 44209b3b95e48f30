import { describe, expect, it } from 'vitest';
import { settingNames, settingsOf } from '../../agent/config/settings.ts';
import { PodError } from '../../agent/errors.ts';
import { parseVerbArguments, settingFlags } from '../../entrypoint/command-line/arguments.ts';

const parseRun = (...args: string[]) => parseVerbArguments('run', args, settingFlags, 'COMMAND');

describe('the arguments of a verb', () => {
  it.each([
    ['none', [], { flags: {}, command: [] }],
    ['a flag and its value', ['--size', '4'], { flags: { size: '4' }, command: [] }],
    ['a flag with =', ['--size=4'], { flags: { size: '4' }, command: [] }],
    [
      'a value with a dash, after =',
      ['--broker-options=-v'],
      { flags: { 'broker-options': '-v' }, command: [] },
    ],
    ['an empty value', ['--size='], { flags: { size: '' }, command: [] }],
    ['the last of a flag given twice', ['--size', '4', '--size', '5'], { flags: { size: '5' }, command: [] }],
    ['the file of settings', ['--config', '/x.toml'], { flags: { config: '/x.toml' }, command: [] }],
    ['a COMMAND', ['--', 'hostname'], { flags: {}, command: ['hostname'] }],
    [
      'flags, then a COMMAND',
      ['--size', '4', '--', 'sleep', '1'],
      { flags: { size: '4' }, command: ['sleep', '1'] },
    ],
    [
      'a COMMAND’s own flags, untouched',
      ['--', 'sh', '--size=5', '-c', 'x'],
      { flags: {}, command: ['sh', '--size=5', '-c', 'x'] },
    ],
    [
      'a COMMAND’s own --, untouched',
      ['--', 'git', '--', 'x', '--'],
      { flags: {}, command: ['git', '--', 'x', '--'] },
    ],
    ['empty words of a COMMAND', ['--', 'echo', '', ' '], { flags: {}, command: ['echo', '', ' '] }],
    ['no COMMAND behind --', ['--'], { flags: {}, command: [] }],
  ])('may be %s', (_, args, { flags, command }) => {
    const parsed = parseRun(...args);
    expect({ ...parsed.flags }).toEqual(flags);
    expect(parsed.command).toEqual(command);
    expect(parsed.positionals).toEqual([]);
  });

  it('may be every setting, and the file that holds them', () => {
    const flags = Object.keys(settingFlags);
    const attachOnly = settingsOf('attach').filter((name) => !settingsOf('run').includes(name));
    expect(attachOnly).toEqual(['socket', 'linger']);
    expect(flags).toHaveLength(settingNames.length - attachOnly.length + 1);
    const parsed = parseRun(...flags.flatMap((flag) => [`--${flag}`, 'x']));
    expect({ ...parsed.flags }).toEqual(Object.fromEntries(flags.map((flag) => [flag, 'x'])));
  });

  it.each([[[]], [['--', 'x']]])('have the defaults of their flags where there are none: %j', (args) => {
    const options = { size: { type: 'string', default: '4' } } as const;
    expect(parseVerbArguments('demo', args, options, 'COMMAND').flags).toEqual({ size: '4' });
  });

  it('may be as many words as the verb takes, before, between and after flags', () => {
    const options = { json: { type: 'boolean' } } as const;
    expect(parseVerbArguments('probe', ['live', '--json'], options, 1)).toMatchObject({
      flags: { json: true },
      positionals: ['live'],
    });
    expect(parseVerbArguments('probe', ['--json', 'live'], options, 1).positionals).toEqual(['live']);
  });

  it.each([
    [
      'a flag it does not know, and the one that was meant is named',
      ['--sise', '4'],
      `"flux-pod run --sise 4": Unknown option '--sise'; did you mean --size?`,
    ],
    [
      'the beginning of a flag, and the flag is named',
      ['--broker-opt', 'x'],
      `"flux-pod run --broker-opt x": Unknown option '--broker-opt'; did you mean --broker-options?`,
    ],
    ['a short flag', ['-s'], `"flux-pod run -s": Unknown option '-s'`],
    [
      'a flag without its value',
      ['--size'],
      `"flux-pod run --size": Option '--size <value>' argument missing`,
    ],
    [
      'a flag whose value is behind --',
      ['--size', '--', '4'],
      `"flux-pod run --size": Option '--size <value>' argument missing`,
    ],
    [
      'a flag in a value’s place',
      ['--size', '--port', '1'],
      `"flux-pod run --size --port 1": Option '--size' argument is ambiguous`,
    ],
    ['a COMMAND without --', ['sleep', '1'], '"flux-pod run sleep 1": "sleep" is a word too many'],
    [
      'a word behind the flags',
      ['--size', '4', 'sleep', '--', 'x'],
      '"flux-pod run --size 4 sleep": "sleep" is a word too many',
    ],
  ])('may not be %s', (_, args, sentence) => {
    const parse = () => parseRun(...args);
    expect(parse).toThrow(PodError);
    expect(parse).toThrow(
      expect.objectContaining({
        exitCode: 64,
        message: expect.stringContaining(`Cannot understand ${sentence}`),
        hint: expect.stringContaining('`flux-pod run'),
      }),
    );
  });

  it('may not be a word more than the verb takes, and the hint is that verb’s own', () => {
    for (const args of [
      ['live', 'ready'],
      ['live', '--', 'ready'],
    ])
      expect(() => parseVerbArguments('probe', args, {}, 1)).toThrow(
        expect.objectContaining({
          message: expect.stringContaining('"ready" is a word too many'),
          hint: '`flux-pod probe --help` shows what it takes.',
        }),
      );
  });

  it.each([
    [['flux', 'resource', 'list'], 'flux-pod shell -- flux resource list'],
    [['--job', 'f1', 'flux', 'run', '-N4', 'hostname'], 'flux-pod shell --job f1 -- flux run -N4 hostname'],
    [['--job=f1', 'ls', '--all'], 'flux-pod shell --job=f1 -- ls --all'],
  ])('may not be a COMMAND without --, and the hint is the line that was meant: %j', (args, line) => {
    const options = { job: { type: 'string' } } as const;
    expect(() => parseVerbArguments('shell', args, options, 'COMMAND')).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('is a word too many'),
        hint: `COMMAND stands behind \`--\`: \`${line}\`.`,
      }),
    );
  });
});
