import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runPod } from '../../agent/lifecycle/run.ts';
import { fakeFlux } from '../support/agent/agent.ts';
import { configurationOf, type Given } from '../support/agent/configuration.ts';
import { recordedLog } from '../support/agent/recorded-log.ts';

/** The life of a single pod whose broker is its program alone. */
function live(command: readonly string[], set: Given = {}, hooks: Readonly<Record<string, string>> = {}) {
  const place = mkdtempSync(join(tmpdir(), 'flux-pod-run-'));
  onTestFinished(() => rmSync(place, { recursive: true, force: true }));
  const flux = join(place, 'flux');
  writeFileSync(flux, fakeFlux, { mode: 0o755 });
  mkdirSync(join(place, 'hooks'));
  for (const [name, text] of Object.entries(hooks))
    writeFileSync(join(place, 'hooks', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  const configuration = configurationOf({
    ...{ dir: join(place, 'run'), flux, http: 'off', hooks: join(place, 'hooks') },
    ...set,
  });
  const log = recordedLog();
  const outcome = runPod(configuration, command, { ...process.env, PLACE: place }, log, {
    configFile: join(place, 'config.toml'),
    reconfigure: async () => configuration,
  });
  const phases = () =>
    log.lines.flatMap(([, , facts]) => {
      const { phase } = (facts ?? {}) as { phase?: string };
      return phase === undefined ? [] : [phase];
    });
  return { outcome, phases, log, place, read: (name: string) => readFileSync(join(place, name), 'utf8') };
}

describe('the life of a single pod', () => {
  it('goes from its preparation over its broker to the exit code of its program', async () => {
    const { outcome, phases } = live(['sh', '-c', 'exit 3']);
    expect(await outcome).toEqual({ code: 3, sentence: 'The program exited with code 3' });
    expect(phases()).toEqual(['prepare', 'broker', 'exit']);
  });

  it('runs its hooks in the order of their stages, those of a follower not on the leader', async () => {
    const stages = ['init', 'pre', 'leader-pre', 'follower-pre', 'post'];
    const note = 'echo "$FLUX_POD_STAGE" >>"$PLACE/stages"';
    const hooks = Object.fromEntries(stages.map((stage) => [stage, note]));
    const { outcome, read } = live(['sh', '-c', 'echo program >>"$PLACE/stages"'], {}, hooks);
    await outcome;
    expect(read('stages').split('\n')).toEqual(['init', 'pre', 'leader-pre', 'program', 'post', '']);
  });

  it('has the outcome of its program also where the post hook fails', async () => {
    const { outcome } = live(['sh', '-c', 'exit 4'], {}, { post: 'exit 1' });
    expect((await outcome).code).toBe(4);
  });

  it.each<[string, readonly string[], Given, Readonly<Record<string, string>>, number]>([
    ['flux cannot be found', ['true'], { flux: '/no/such/flux' }, {}, 72],
    ['a hook fails', ['true'], {}, { pre: 'exit 1' }, 75],
    ['COMMAND is missing', [], {}, {}, 64],
  ])('ends before there is a broker where %s', async (_, command, set, hooks, code) => {
    const { outcome, phases } = live(command, set, hooks);
    expect((await outcome).code).toBe(code);
    expect(phases()).toEqual(['prepare', 'exit']);
  });

  it('is held where it has failed, serves its status, and ends when it is released', async () => {
    const { outcome, phases, place } = live(['true'], { onFailure: 'hold' }, { pre: 'exit 1' });
    const ask = (path: string, method: string) =>
      new Promise<number | undefined>((resolve) => {
        const socketPath = join(place, 'run', 'agent.sock');
        request({ socketPath, path, method, agent: false }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode));
        })
          .once('error', () => resolve(undefined))
          .end();
      });
    await expect.poll(() => ask('/livez', 'GET'), { timeout: 10_000 }).toBe(200);
    expect(await ask('/readyz', 'GET')).toBe(503);
    expect(await ask('/release', 'POST')).toBe(200);
    expect((await outcome).code).toBe(75);
    expect(phases()).toEqual(['prepare', 'hold', 'exit']);
  });
});
