import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import type { LogOptions } from '../agent/log.ts';

/** A program of its own that has made `log`: what it writes is then seen from outside. */
function program(options: Partial<LogOptions>, body: string): string[] {
  const all = { level: 'info', format: 'json', base: { pod: 'mc-0' }, ...options };
  const script = `
    import { createLog } from ${JSON.stringify(new URL('../agent/log.ts', import.meta.url))};
    const log = createLog(${JSON.stringify(all)});
    const tick = () => { for (const start = Date.now(); Date.now() === start; ) continue; };
    ${body}
  `;
  return ['--input-type=module', '--eval', script];
}

async function run(options: Partial<LogOptions>, body: string): Promise<string[]> {
  const { stdout, stderr } = await execa(process.execPath, program(options, body), {
    env: { NODE_OPTIONS: '' },
  });
  expect(stdout, 'stdout is the program’s alone').toBe('');
  return stderr === '' ? [] : stderr.split('\n');
}

const everyLevel = `for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) log(level, level);`;

describe.concurrent('the log', () => {
  it('keeps its lines until it is opened', async () => {
    expect(await run({ level: 'trace' }, everyLevel)).toEqual([]);
  });

  it('then writes them in their order and with their own times, and the later ones at once', async () => {
    const lines = await run(
      {},
      `log('info', 'first'); tick(); log('warn', 'second'); tick(); log('info', 'third', { pid: 12 }); tick();
       const opened = Date.now();
       await Promise.all([log.open(), log.open()]);
       await log.open();
       tick(); log('error', 'fourth', { opened });`,
    );
    const [first, second, third, fourth, ...more] = lines.map((line) => JSON.parse(line));
    expect([first, second, third, fourth]).toMatchObject([
      { level: 'info', msg: 'first', pod: 'mc-0' },
      { level: 'warn', msg: 'second', pod: 'mc-0' },
      { level: 'info', msg: 'third', pod: 'mc-0', pid: 12 },
      { level: 'error', msg: 'fourth', pod: 'mc-0' },
    ]);
    expect(more).toEqual([]);
    const times = [first, second, third, fourth].map(({ time }) => Date.parse(time));
    const moments = [...times.slice(0, 3), fourth.opened, times[3]];
    expect(moments).toEqual([...new Set(moments)].sort((a, b) => a - b));
  });

  it.each([
    ['trace', ['trace', 'debug', 'info', 'warn', 'error', 'fatal']],
    ['info', ['info', 'warn', 'error', 'fatal']],
    ['fatal', ['fatal']],
    ['silent', []],
  ] as const)('at level %s tells before and after it is opened: %j', async (level, told) => {
    const lines = await run({ level }, `${everyLevel} await log.open(); ${everyLevel}`);
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual([...told, ...told]);
  });

  it('is lines for people where it is text', async () => {
    const lines = await run(
      { format: 'text' },
      `log('info', 'The broker has started', { pid: 12, flux: '/opt/flux' }); await log.open();
       log('error', 'It has ended', { ending: { code: 1 } });`,
    );
    expect(lines).toEqual([
      expect.stringMatching(
        /^\d\d:\d\d:\d\d\.\d{3} info {2}mc-0 The broker has started {2}pid=12 {2}flux=\/opt\/flux$/,
      ),
      expect.stringMatching(/^\d\d:\d\d:\d\d\.\d{3} error mc-0 It has ended {2}ending=\{"code":1\}$/),
    ]);
  });

  it('is one line where it is text, whatever is in a value', async () => {
    const forged = 'x\n12:00:00.000 info  mc-0 Forged\u2028\r\x1b[2J\x9b2J';
    const shown = 'x\\n12:00:00.000 info  mc-0 Forged\\u2028\\r\\u001b[2J\\u009b2J';
    const lines = await run(
      { format: 'text', base: { pod: forged } },
      `const forged = ${JSON.stringify(forged)};
       log('warn', forged, { forged, nested: { forged }, [forged]: 1 }); await log.open();`,
    );
    expect(lines).toHaveLength(1);
    expect(lines[0]?.split(shown)).toHaveLength(6);
    expect(lines[0]).not.toMatch(/[\p{Cc}\u2028]/u);
  });

  it.each(['json', 'text'] as const)('as %s may lose its reader, and the pod goes on', async (format) => {
    const body = `
      log('info', 'kept');
      await new Promise((resolve) => process.stdin.once('data', resolve));
      await log.open();
      log('fatal', 'nobody reads this');
      setImmediate(() => process.exit(7));`;
    const child = spawn(process.execPath, program({ format }, body), { stdio: ['pipe', 'ignore', 'pipe'] });
    const ended = once(child, 'exit');
    child.stderr.destroy();
    await once(child.stderr, 'close');
    child.stdin.end('go');
    expect(await ended).toEqual([7, null]);
  });
});
