import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { initialProgram } from '../../../agent/broker/process/initial-program.ts';

const script = '/run/flux-pod/batch.sh';

describe('the initial program', () => {
  it.each<[string, string[], string[]]>([
    ['a command with arguments runs as it is', ['lammps', '-in', 'a b'], ['lammps', '-in', 'a b']],
    [
      'a lone name is that program, which the broker would give to bash',
      ['hostname'],
      ['/usr/bin/env', 'hostname'],
    ],
    ['a lone path is that program', ['/app/run.sh'], ['/usr/bin/env', '/app/run.sh']],
    ['a lone shell is no interactive shell', ['bash'], ['/usr/bin/env', 'bash']],
    ['a lone shell with a path is none either', ['/bin/sh'], ['/usr/bin/env', '/bin/sh']],
    [
      'a lone word with white space is a command line, as with flux start',
      ['flux run -N2 hostname'],
      ['/bin/sh', '-c', 'flux run -N2 hostname'],
    ],
    ['and so is one of several lines', ['a\nb'], ['/bin/sh', '-c', 'a\nb']],
    ['and one with =: env would set a variable', ['/app/a=b'], ['/bin/sh', '-c', '/app/a=b']],
    ['a shell with arguments runs as it is', ['sh', '-c', 'a; b'], ['sh', '-c', 'a; b']],
    ['an empty argument stays one', ['echo', ''], ['echo', '']],
  ])('of mode start: %s', (_, command, argv) => {
    expect(initialProgram({ mode: 'start', size: 4, tasks: undefined }, command, script)).toEqual({ argv });
  });

  it.each([
    [4, undefined, '--nodes=4', '--ntasks=4'],
    [1, undefined, '--nodes=1', '--ntasks=1'],
    [4, 16, '--nodes=4', '--ntasks=16'],
    [4, 5, '--nodes=4', '--ntasks=5'],
    [4, 3, '--nodes=3', '--ntasks=3'],
    [4, 1, '--nodes=1', '--ntasks=1'],
  ])('of mode submit: with %i pods and %s tasks it is one job of %s %s', (size, tasks, ...options) => {
    expect(initialProgram({ mode: 'submit', size, tasks }, ['lmp', '-x', '--', 'y'], script)).toEqual({
      argv: ['flux', 'run', ...options, '--', 'lmp', '-x', '--', 'y'],
    });
  });

  it('of mode submit: a lone word is a program too', () => {
    const { argv } = initialProgram({ mode: 'submit', size: 1, tasks: undefined }, ['a b'], script);
    expect(argv.at(-1)).toBe('a b');
  });

  it('of mode interactive: there is none', () => {
    expect(initialProgram({ mode: 'interactive', size: 2, tasks: undefined }, [], script)).toEqual({
      argv: [],
    });
  });

  it('of mode batch: a shell runs the script', () => {
    const { argv } = initialProgram({ mode: 'batch', size: 2, tasks: undefined }, ['a'], script);
    expect(argv).toEqual(['/bin/sh', script]);
  });

  it.each([
    ['start', [], 'Cannot start in mode start: there is no COMMAND'],
    ['start', [''], 'Cannot start in mode start: there is no COMMAND'],
    ['submit', [], 'Cannot start in mode submit: there is no COMMAND'],
    ['batch', [], 'Cannot start in mode batch: there is no COMMAND'],
    ['interactive', ['sh'], 'Cannot run "sh" in mode interactive: it takes no COMMAND'],
  ] as const)('of mode %s cannot be made of %j: a usage error', (mode, command, message) => {
    expect(() => initialProgram({ mode, size: 1, tasks: undefined }, command, script)).toThrow(
      expect.objectContaining({ exitCode: 64, message }),
    );
  });
});

const directory = mkdtempSync(join(tmpdir(), 'program-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/**
 * A `flux` that writes down its arguments, each in brackets. It numbers the jobs; `no` as a job's command is refused, and
 * `exit N` makes a job that ends with N.
 */
mkdirSync(join(directory, 'bin'));
writeFileSync(
  join(directory, 'bin/flux'),
  `#!/bin/sh
{ for argument; do printf '[%s]' "$argument"; done; echo; } >>"$RECORD"
case "$1 $2" in
  'submit no') echo 'flux-submit: no' >&2; exit 3 ;;
  'submit '*) number=$(grep -c '^.submit' "$RECORD"); echo "f$number"; [ "$2" != exit ] || echo "$3" >"$RECORD.f$number" ;;
  'job attach') echo "output of $3"; exit "$(cat "$RECORD.$3" 2>/dev/null || echo 0)" ;;
esac
`,
);
chmodSync(join(directory, 'bin/flux'), 0o755);

let made = 0;
/** Runs the script of mode batch: what flux was asked to do, what came out, and the exit code. */
function runBatch(...command: string[]) {
  const record = join(directory, `${++made}`);
  const program = initialProgram({ mode: 'batch', size: 2, tasks: undefined }, command, `${record}.sh`);
  writeFileSync(`${record}.sh`, program.script ?? '');
  writeFileSync(record, '');
  const [shell = '', ...args] = program.argv;
  const { status, stdout, stderr } = spawnSync(shell, args, {
    env: { PATH: `${directory}/bin:/usr/bin:/bin`, RECORD: record, PLACE: 'lab' },
    encoding: 'utf8',
  });
  const asked = readFileSync(record, 'utf8').trimEnd().split('\n');
  const submitted = asked.filter((line) => line.startsWith('[submit]')).map((line) => line.slice(8));
  return { code: status, stdout, stderr, asked, submitted };
}

describe('the script of mode batch', () => {
  it('submits each line as a job, then shows their output in the order of the lines', () => {
    const { code, asked, stdout } = runBatch('echo one\necho two\n');
    expect(asked).toEqual([
      '[submit][echo][one]',
      '[submit][echo][two]',
      '[job][attach][f1]',
      '[job][attach][f2]',
    ]);
    expect([code, stdout]).toEqual([0, 'output of f1\noutput of f2\n']);
  });

  it.each<[string, string, string[]]>([
    ['options before the command', '-N2 --env=A=b app', ['[-N2][--env=A=b][app]']],
    ['quotes', `echo "a  b" 'c "d"' e\\ f`, ['[echo][a  b][c "d"][e f]']],
    ['an empty argument', 'echo "" x', ['[echo][][x]']],
    ["variables of the leader's environment", 'echo $PLACE "$PLACE"s', ['[echo][lab][labs]']],
    [
      'a variable that the job is to expand',
      "sh -c 'echo $FLUX_TASK_RANK'",
      ['[sh][-c][echo $FLUX_TASK_RANK]'],
    ],
    ['a comment behind the command', 'echo a # not b', ['[echo][a]']],
    ['a # within a word', 'echo a#b', ['[echo][a#b]']],
    [
      'comments, empty lines and indentation',
      '# jobs\n\n  echo a\n\t# more\n\techo b  \n',
      ['[echo][a]', '[echo][b]'],
    ],
    ['CRLF line ends', 'echo a\r\necho b\r\n', ['[echo][a]', '[echo][b]']],
    ['the words of a printf', "echo '%s' 100%", ['[echo][%s][100%]']],
  ])('understands %s', (_, command, submitted) => {
    expect(runBatch(command)).toMatchObject({ code: 0, submitted });
  });

  it('takes each word of COMMAND for one line or more', () => {
    expect(runBatch('echo a', 'echo b\necho c').submitted).toEqual(['[echo][a]', '[echo][b]', '[echo][c]']);
  });

  it.each([
    ['no job', '# nothing', 0],
    ['jobs that succeed', 'exit 0\nexit 0', 0],
    ['a job that fails first', 'exit 3\nexit 0', 3],
    ['a job that fails last', 'exit 0\nexit 3', 3],
    ['several that fail: the highest', 'exit 2\nexit 143\nexit 7', 143],
    ['a line that is not accepted', 'no\nexit 0', 1],
    ['a line that is not accepted, after others', 'exit 0\nno', 1],
    ['a line that is not accepted, and a job that fails', 'exit 5\nno', 5],
  ])('ends with the highest code: %s', (_, command, code) => {
    expect(runBatch(command).code).toBe(code);
  });

  it('names the line that was not accepted, and submits the others', () => {
    const { stderr, submitted, stdout } = runBatch('no "a b"\necho c');
    expect(stderr).toBe('flux-submit: no\nflux-pod: this line was not accepted as a job: no a b\n');
    expect([submitted, stdout]).toEqual([['[no][a b]', '[echo][c]'], 'output of f2\n']);
  });
});
