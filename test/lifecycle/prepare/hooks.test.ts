import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findHooks, runHooks, type Stage } from '../../../agent/lifecycle/prepare/hooks.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';

let directory = '';
let hooks = '';
let trace = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'flux-pod-hooks-'));
  hooks = join(directory, 'hooks.d');
  trace = join(directory, 'trace');
  mkdirSync(hooks);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Puts an executable shell script among the hooks. */
function hook(name: string, script = `echo ${name} >>"$TRACE"`, mode = 0o755): string {
  const path = join(hooks, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, mode);
  return path;
}

const found = (log = recordedLog()) =>
  [...findHooks(hooks, log)].map(([stage, paths]) => [
    stage,
    paths.map((path) => path.slice(hooks.length + 1)),
  ]);

const never = new AbortController().signal;
const environment = () => ({ PATH: '/usr/bin:/bin', TRACE: trace, FLUX_POD_SIZE: '4' });
const run = (stage: Stage, stop = never, log = recordedLog()) =>
  runHooks(findHooks(hooks, log), stage, environment(), stop, log);
const traced = () => (existsSync(trace) ? readFileSync(trace, 'utf8').trimEnd().split('\n') : []);

describe('the hooks of a directory', () => {
  it('belong to the stage that their names begin with, each stage in the order of names', () => {
    const names = 'post leader-pre.sh pre-20-last init pre-10-data pre.py pre follower-pre-x leader-pre-1';
    for (const name of names.split(' ')) hook(name);
    const log = recordedLog();
    expect(Object.fromEntries(found(log))).toEqual({
      init: ['init'],
      pre: ['pre', 'pre-10-data', 'pre-20-last', 'pre.py'],
      'leader-pre': ['leader-pre-1', 'leader-pre.sh'],
      'follower-pre': ['follower-pre-x'],
      post: ['post'],
    });
    expect(log.lines).toEqual([]);
  });

  it.each(['prepare', 'Pre', 'pre_1', 'pre~', 'my-pre', 'README', 'leader', 'leader-post'])(
    'never run when they are named %s, which is logged',
    (name) => {
      const path = hook(name);
      const log = recordedLog();
      expect(found(log)).toEqual([]);
      expect(log.lines).toEqual([
        [
          'warn',
          `The hook ${path} is named after no stage (init, pre, leader-pre, follower-pre, post): it never runs`,
        ],
      ]);
    },
  );

  it('are the keys of a mounted ConfigMap, and not what the kubelet puts beside them', () => {
    mkdirSync(join(hooks, '..2026_01_01'));
    writeFileSync(join(hooks, '..2026_01_01', 'pre.sh'), '#!/bin/sh\n');
    symlinkSync('..2026_01_01', join(hooks, '..data'));
    symlinkSync('..data/pre.sh', join(hooks, 'pre.sh'));
    hook('.pre.swp');
    const log = recordedLog();
    expect(found(log)).toEqual([['pre', ['pre.sh']]]);
    expect(log.lines).toEqual([]);
  });

  it('are none where there is no such directory', () => {
    expect(findHooks(join(directory, 'none'), recordedLog()).size).toBe(0);
    expect(findHooks(join(hook('pre'), 'below-a-file'), recordedLog()).size).toBe(0);
  });

  it('are refused where they cannot be listed', () => {
    const loop = join(directory, 'loop');
    symlinkSync('loop', loop);
    expect(() => findHooks(loop, recordedLog())).toThrow(
      expect.objectContaining({
        exitCode: 75,
        message: expect.stringContaining(`Cannot read the hooks in ${loop}: ELOOP`),
      }),
    );
  });
});

describe('a stage', () => {
  it('runs its own hooks, one after the other, and logs each', async () => {
    hook('init');
    // The first ends after the second has begun, unless one waits for the other.
    hook('pre-1', 'sleep 0.05; echo pre-1 >>"$TRACE"');
    hook('pre-2');
    hook('leader-pre');
    const log = recordedLog();
    await run('pre', never, log);
    expect(traced()).toEqual(['pre-1', 'pre-2']);
    expect(log.lines).toEqual([
      ['info', `Running the pre hook ${join(hooks, 'pre-1')}`],
      ['info', `Running the pre hook ${join(hooks, 'pre-2')}`],
    ]);
  });

  it('without hooks does nothing', async () => {
    const log = recordedLog();
    await run('post', never, log);
    expect(log.lines).toEqual([]);
  });

  it('gives its hooks its name, and the pod’s environment, and nothing else', async () => {
    hook('follower-pre', '/usr/bin/env >"$TRACE"');
    await run('follower-pre');
    const variables = traced().filter((line) => !/^(PWD|SHLVL|OLDPWD|_)=/.test(line)); // the shell’s own
    expect(variables.sort()).toEqual([
      'FLUX_POD_SIZE=4',
      'FLUX_POD_STAGE=follower-pre',
      'PATH=/usr/bin:/bin',
      `TRACE=${trace}`,
    ]);
  });

  it('ends at the first hook that fails', async () => {
    hook('pre-1');
    hook('pre-2', 'exit 3');
    hook('pre-3');
    await expect(run('pre')).rejects.toThrow('pre-2 failed: it exited with code 3');
    expect(traced()).toEqual(['pre-1']);
  });
});

describe('a hook that fails ends the pod with 75', () => {
  it.each([
    ['it exited with code 1', 'exit 1', 0o755, 'remove it'],
    ['it exited with code 127', 'no-such-command', 0o755, 'remove it'],
    ['signal SIGKILL ended it', 'kill -KILL $$', 0o755, 'remove it'],
    ['signal SIGTERM ended it', 'kill -TERM $$', 0o755, 'remove it'],
    ['it is not executable', 'exit 0', 0o644, 'defaultMode: 0755'],
  ])('%s', async (why, script, mode, hint) => {
    const path = hook('leader-pre.sh', script, mode);
    await expect(run('leader-pre')).rejects.toMatchObject({
      name: 'PodError',
      exitCode: 75,
      message: `The leader-pre hook ${path} failed: ${why}`,
      hint: expect.stringContaining(hint),
    });
  });

  it.each<[string, () => void, RegExp]>([
    ['its interpreter is not there', () => writeHook('#!/nowhere/interpreter\n'), /ENOENT/],
    ['it is a directory', () => mkdirSync(join(hooks, 'pre.d')), /EACCES/],
  ])('%s', async (_, make, why) => {
    make();
    await expect(run('pre')).rejects.toMatchObject({ exitCode: 75, message: expect.stringMatching(why) });
  });

  const writeHook = (content: string) => writeFileSync(join(hooks, 'pre.x'), content, { mode: 0o755 });
});

describe('a hook that is stopped', () => {
  it('is ended, and the reason of the stop is thrown', async () => {
    hook('pre-1', 'echo $$ >"$TRACE.new"; mv "$TRACE.new" "$TRACE"; exec sleep 60');
    hook('pre-2');
    const stop = new AbortController();
    const reason = new Error('SIGTERM');
    const started = Promise.withResolvers<void>();
    const watcher = watch(directory, () => existsSync(trace) && started.resolve());
    const running = run('pre', stop.signal);
    await Promise.race([started.promise, running]);
    watcher.close();
    stop.abort(reason);
    await expect(running).rejects.toBe(reason);
    const [pid] = traced();
    expect(Number(pid)).toBeGreaterThan(1);
    expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH');
  });

  it('does not count as failed', async () => {
    const stop = new AbortController();
    const reason = new Error('SIGTERM');
    hook('pre', 'exec sleep 60');
    stop.abort(reason);
    await expect(run('pre', stop.signal)).rejects.toBe(reason);
  });
});

describe('what a hook writes', () => {
  it('goes to stderr, so that stdout is the program’s alone; stdin is empty', async () => {
    hook('pre', 'echo to stdout; echo to stderr >&2; cat; echo done');
    const module = JSON.stringify(new URL('../../../agent/lifecycle/prepare/hooks.ts', import.meta.url));
    const script = `
      import { findHooks, runHooks } from ${module};
      const log = () => undefined;
      const hooks = findHooks(${JSON.stringify(hooks)}, log);
      await runHooks(hooks, 'pre', process.env, new AbortController().signal, log);
    `;
    const result = await execa(process.execPath, ['--input-type=module', '--eval', script], {
      input: 'typed',
    });
    expect(result.stdout).toBe('');
    expect(result.stderr.split('\n')).toEqual(['to stdout', 'to stderr', 'done']);
  });
});
