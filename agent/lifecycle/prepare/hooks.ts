import { accessSync, constants, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { stageVariable } from '../../config/layers.ts';
import { ExitCode, errnoOf, messageOf, PodError } from '../../errors.ts';
import type { Log } from '../../log.ts';

/** When hooks run: first of all, before the broker (in all pods, on the leader, on followers), after the broker. */
export const stages = ['init', 'pre', 'leader-pre', 'follower-pre', 'post'] as const;
export type Stage = (typeof stages)[number];

/** `pre`, `pre.sh`, `pre-10-data`: the stage, then anything after a dot or a hyphen. */
const fileName = /^(init|pre|leader-pre|follower-pre|post)([.-].*)?$/;

/** Finds the hooks in `directory` by stage, each stage in the order of names. A directory that does not exist has none. */
export function findHooks(directory: string, log: Log): ReadonlyMap<Stage, readonly string[]> {
  const hooks = new Map<Stage, string[]>();
  for (const name of namesIn(directory)) {
    const stage = fileName.exec(name)?.[1] as Stage | undefined;
    if (stage) hooks.set(stage, [...(hooks.get(stage) ?? []), join(directory, name)]);
    else
      log(
        'warn',
        `The hook ${join(directory, name)} is named after no stage (${stages.join(', ')}): it never runs`,
      );
  }
  return hooks;
}

/** Runs the hooks of a stage one after the other, their output on stderr. Throws a PodError (exit 75) at the first that fails. */
export async function runHooks(
  hooks: ReadonlyMap<Stage, readonly string[]>,
  stage: Stage,
  environment: NodeJS.ProcessEnv,
  stop: AbortSignal,
  log: Log,
): Promise<void> {
  for (const hook of hooks.get(stage) ?? []) {
    const fail = (why: string, hint: string, cause?: unknown) =>
      new PodError(ExitCode.hookFailed, `The ${stage} hook ${hook} failed: ${why}`, { hint, cause });
    try {
      accessSync(hook, constants.X_OK);
    } catch (error) {
      throw fail('it is not executable', 'Mount the ConfigMap that holds it with defaultMode: 0755.', error);
    }
    log('info', `Running the ${stage} hook ${hook}`);
    const { execa } = await import('execa');
    const result = await execa(hook, {
      // stdout is the program's alone, so a hook writes to stderr.
      stdout: 2,
      stderr: 'inherit',
      stdin: 'ignore',
      env: { ...environment, [stageVariable]: stage },
      extendEnv: false,
      cancelSignal: stop,
      reject: false,
    });
    stop.throwIfAborted();
    if (!result.failed) continue;
    const why = result.signal
      ? `signal ${result.signal} ended it`
      : result.exitCode === undefined
        ? messageOf(result.cause)
        : `it exited with code ${result.exitCode}`;
    throw fail(why, 'Its output is above. Correct it, or remove it from FLUX_POD_HOOKS.');
  }
}

function namesIn(directory: string): string[] {
  try {
    // A ConfigMap's mount has `..data` and its like beside the keys.
    return readdirSync(directory)
      .filter((name) => !name.startsWith('.'))
      .sort();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    throw new PodError(ExitCode.hookFailed, `Cannot read the hooks in ${directory}: ${messageOf(error)}`);
  }
}
