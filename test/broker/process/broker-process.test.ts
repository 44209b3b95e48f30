import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { endingOf, startBroker } from '../../../agent/broker/process/broker-process.ts';
import { signalCode } from '../../../agent/errors.ts';

const directory = mkdtempSync(join(tmpdir(), 'process-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const shell = (script: string, environment: NodeJS.ProcessEnv = process.env, terminal = false) =>
  startBroker('/bin/sh', ['-c', script], environment, terminal);

describe('how a process ends', () => {
  it.each([0, 1, 2, 63, 64, 77, 78, 125, 126, 127, 128, 129, 143, 200, 254, 255])(
    'exit code %i is passed on',
    async (code) => {
      expect(await (await shell(`exit ${code}`)).ended).toEqual({ code, signal: undefined });
    },
  );

  it.each(['SIGHUP', 'SIGINT', 'SIGKILL', 'SIGUSR1', 'SIGSEGV', 'SIGPIPE', 'SIGTERM'] as const)(
    '%s is told as 128 and its number',
    async (signal) => {
      const number = constants.signals[signal];
      const ending = await (await shell(`ulimit -c 0; kill -${number} $$`)).ended;
      expect(ending).toEqual({ code: 128 + number, signal });
    },
  );

  it.each([
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGKILL', 137],
    ['SIGTERM', 143],
  ] as const)('the code of %s is %i', (signal, code) => {
    expect(signalCode(signal)).toBe(code);
    expect(endingOf(null, signal)).toEqual({ code, signal });
  });

  it('neither code nor signal counts as killed', () => {
    expect(endingOf(null, null)).toEqual({ code: 137, signal: undefined });
  });
});

describe('startBroker', () => {
  it('passes arguments and environment untouched', async () => {
    const record = join(directory, 'record');
    const args = ['-c', 'printf "%s|" "$A" "$HOME" "$@" >"$RECORD"', 'sh', 'a b', '', '-x', 'é\n"$A'];
    const broker = await startBroker('/bin/sh', args, { A: 'x y', RECORD: record }, false);
    expect(await broker.ended).toMatchObject({ code: 0 });
    expect(readFileSync(record, 'utf8')).toBe('x y||a b||-x|é\n"$A|');
  });

  it.each([
    ['is not there', () => '/nowhere/flux', [], 'ENOENT'],
    ['lies below a file', () => '/etc/passwd/flux', [], 'ENOTDIR'],
    ['is a directory', () => directory, [], 'EACCES'],
    ['is not executable', () => file('plain', '', 0o644), [], 'EACCES'],
    [
      'has an interpreter that is not in the image',
      () => file('script', '#!/nowhere/sh\n', 0o755),
      [],
      'ENOENT',
    ],
    ['is given more than the kernel takes', () => '/bin/sh', ['x'.repeat(200_000)], 'E2BIG'],
  ])('is an error with exit code 72 when flux %s', async (_, make, args, code) => {
    const flux = make();
    await expect(startBroker(flux, args, process.env, false)).rejects.toMatchObject({
      exitCode: 72,
      message: `Cannot execute ${flux}: ${code}`,
      hint: expect.stringContaining('interpreter'),
    });
  });

  it('sends signals, and none after the process has exited', async () => {
    const broker = await startBroker('/bin/sleep', ['100'], process.env, false);
    broker.signal('SIGTERM');
    expect(await broker.ended).toEqual({ code: 143, signal: 'SIGTERM' });
    expect(() => broker.signal('SIGTERM')).not.toThrow();
  });

  it('gives the broker a session of its own, unless there is a terminal', async () => {
    const own = await startBroker('/bin/sleep', ['100'], process.env, false);
    const shared = await startBroker('/bin/sleep', ['100'], process.env, true);
    expect(groupAndSession(own.pid)).toEqual([own.pid, own.pid]);
    expect(groupAndSession(shared.pid)).toEqual(groupAndSession(process.pid));
    for (const broker of [own, shared]) {
      broker.signal('SIGKILL');
      await broker.ended;
    }
  });

  it('passes stdin, stdout and stderr unbuffered, while the broker still runs', async () => {
    const program = 'printf out; printf err >&2; read -r answer; printf "%s" "$answer"; exit 7';
    const module = pathToFileURL(
      join(import.meta.dirname, '../../../agent/broker/process/broker-process.ts'),
    ).href;
    const driver = `
      const { startBroker } = await import(${JSON.stringify(module)});
      const broker = await startBroker('/bin/sh', ['-c', ${JSON.stringify(program)}], process.env, false);
      process.exitCode = (await broker.ended).code;
    `;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', driver]);
    const [out] = await Promise.all([once(child.stdout, 'data'), once(child.stderr, 'data')]);
    expect(String(out)).toBe('out');
    const answer = once(child.stdout, 'data');
    child.stdin.end('well\n');
    expect(String(await answer)).toBe('well');
    expect(await once(child, 'exit')).toEqual([7, null]);
  });
});

/** The process group and the session of a process: fields 5 and 6 of proc_pid_stat(5). */
function groupAndSession(pid: number): number[] {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return fields.slice(2, 4).map(Number);
}

function file(name: string, content: string, mode: number): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}
