import type { Configuration } from '../../config/configuration.ts';
import { ExitCode, PodError } from '../../errors.ts';

/** The initial program of the leader's broker. */
export interface Program {
  /** Empty where the instance has no program and stays up. */
  readonly argv: readonly string[];
  /** The text of the script that `argv` runs, to be written first. */
  readonly script?: string;
}

/**
 * Turns COMMAND into the initial program of the mode. `scriptPath` is where `batch` puts its script.
 * Throws a PodError (exit 64) where COMMAND is missing, or given without need.
 */
export function initialProgram(
  { mode, size, tasks }: Pick<Configuration, 'mode' | 'size' | 'tasks'>,
  command: readonly string[],
  scriptPath: string,
): Program {
  const [first] = command;
  if (mode === 'interactive') {
    if (first === undefined) return { argv: [] };
    throw new PodError(ExitCode.usage, `Cannot run "${first}" in mode interactive: it takes no COMMAND`, {
      hint: 'Leave COMMAND out, or use the mode start.',
    });
  }
  if (first === undefined || first === '') {
    throw new PodError(ExitCode.usage, `Cannot start in mode ${mode}: there is no COMMAND`, {
      hint: 'Write `flux-pod run -- COMMAND ARG...`, or set FLUX_POD_MODE=interactive.',
    });
  }
  switch (mode) {
    case 'start':
      return { argv: command.length === 1 ? loneWord(first) : command };
    case 'submit':
      return { argv: ['flux', 'run', ...taskOptions(size, tasks), '--', ...command] };
    case 'batch':
      return { argv: ['/bin/sh', scriptPath], script: batchScript(command) };
  }
}

/**
 * The broker gives a lone word to /bin/bash, or takes it for an interactive shell (flux-core src/broker/broker.c,
 * create_runat_rc2). A lone program name must mean that program, in images without bash as well; only a word with white
 * space is a command line for a shell, as with `flux start`, and one with `=`, which env would take for a variable.
 */
const loneWord = (word: string): readonly string[] =>
  /[\s=]/.test(word) ? ['/bin/sh', '-c', word] : ['/usr/bin/env', word];

/** One task a node unless given; fewer tasks than nodes take one node each. */
function taskOptions(size: number, tasks = size): string[] {
  return [`--nodes=${Math.min(size, tasks)}`, `--ntasks=${tasks}`];
}

/**
 * A script that submits every line as a job (options of `flux submit` may stand before the line's command, as in the
 * Flux Operator's batch mode), then shows the jobs' output in the order of the lines. Its exit code is the highest of the jobs'.
 */
function batchScript(command: readonly string[]): string {
  const lines = command
    .join('\n')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  return [
    '#!/bin/sh',
    'jobs= outcome=0',
    'submit() {',
    '  job=$(flux submit "$@") && jobs="$jobs $job" && return',
    '  echo "flux-pod: this line was not accepted as a job: $*" >&2',
    '  outcome=1',
    '}',
    ...lines.map((line) => `submit ${line}`),
    'for job in $jobs; do',
    '  flux job attach "$job"',
    '  code=$?',
    '  [ "$code" -le "$outcome" ] || outcome=$code',
    'done',
    'exit "$outcome"',
    '',
  ].join('\n');
}
