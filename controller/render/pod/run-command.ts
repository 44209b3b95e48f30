import { toLine } from '../../../agent/shell-words.ts';
import type { Cluster } from '../minicluster/cluster.ts';
import { paths } from '../reserved/paths.ts';

/** What the instance runs, in the terms of `flux-pod run`: FLUX_POD_MODE, FLUX_POD_TASKS and COMMAND. */
export interface Program {
  readonly mode: 'start' | 'submit' | 'batch' | 'interactive';
  readonly tasks?: number;
  readonly command: readonly string[];
}

/** Where the Operator's batch jobs write. */
export const defaultLogs = '/tmp/fluxout';

/** Turns command, commands.script, launcher, batch and their company into one program, as the Operator's wait.sh does. */
export function programOf(cluster: Cluster): Program {
  const { spec, fluxContainer } = cluster;
  const { container } = fluxContainer;
  const written = container.commands?.script
    ? toLine(['/bin/bash', `${paths.scripts}/script.sh`])
    : (container.command ?? '');
  const program =
    spec.interactive || written.trim() === ''
      ? interactive(cluster, written)
      : container.batch
        ? batch(cluster)
        : container.launcher
          ? launcher(cluster, written)
          : submission(cluster, written);
  if (spec.tasks !== undefined && program.tasks === undefined && !isOneJob(cluster, program)) {
    cluster.warn('spec.tasks', `is not used: ${reasonWithoutTasks(cluster, program)}`);
  }
  if (container.batchRaw && !container.batch) {
    cluster.warn(`${fluxContainer.path}.batchRaw`, 'is not used: batch is not true');
  }
  return program;
}

function interactive({ spec, fluxContainer, warn }: Cluster, written: string): Program {
  const { container, path } = fluxContainer;
  const unused = [
    written.trim() !== '' && (container.commands?.script ? 'commands.script' : 'command'),
    container.launcher && 'launcher',
    container.batch && 'batch',
    container.commands?.prefix && 'commands.prefix',
  ];
  const why = spec.interactive
    ? 'is not run: spec.interactive is true, and the instance waits for jobs'
    : 'is not used: there is no command, and the instance waits for jobs';
  for (const field of unused) if (field) warn(`${path}.${field}`, why);
  if (spec.logging?.timed) warn('spec.logging.timed', 'is not used: an interactive instance runs no command');
  unusedSubmission(spec, warn, 'an interactive instance submits nothing itself');
  return { mode: 'interactive', command: [] };
}

/** `launcher: true`: the command is the initial program and asks for its own jobs. */
function launcher(cluster: Cluster, written: string): Program {
  unusedSubmission(cluster.spec, cluster.warn, 'a launcher submits its own jobs');
  return { mode: 'start', command: toWords(withPrefix(cluster, written)) };
}

/** The command is one job. What `flux-pod run` has no setting for makes it a command line of flux. */
function submission(cluster: Cluster, written: string): Program {
  const { spec, fluxContainer } = cluster;
  const { optionFlags = '', submitCommand } = spec.flux ?? {};
  const debug = spec.logging?.debug ? '-vvv' : '';
  const tasks = spec.tasks ?? 1;
  const words = toWords(written);
  const plain = !optionFlags.trim() && !submitCommand && !debug;
  if (plain && !spec.logging?.timed && !fluxContainer.container.commands?.prefix) {
    // 0 leaves the number out: one task a node.
    return { mode: 'submit', ...(tasks > 0 && { tasks }), command: words };
  }
  const nodes = tasks === 0 || tasks >= spec.size ? `-N ${spec.size}` : '';
  const submit = [submitCommand ?? 'flux submit', nodes, tasks > 0 ? `-n ${tasks}` : '', optionFlags, debug];
  const line = [...submit, '--quiet --watch', toLine(words)]
    .map((part) => part.trim())
    .filter((part) => part !== '');
  return { mode: 'start', command: toWords(withPrefix(cluster, line.join(' '))) };
}

/** `batch: true`: each line is a job; `batchRaw: true`: the lines are a script. */
function batch(cluster: Cluster): Program {
  const { spec, fluxContainer, warn } = cluster;
  const { container, path } = fluxContainer;
  if (container.batchRaw) {
    unusedSubmission(spec, warn, 'a raw batch script submits its own jobs');
    return { mode: 'start', command: toWords(withPrefix(cluster, `/bin/bash ${paths.scripts}/batch.sh`)) };
  }
  if (container.commands?.prefix) {
    warn(`${path}.commands.prefix`, 'is not used: in batch mode flux-pod submits the lines itself');
  }
  if (spec.logging?.timed)
    warn('spec.logging.timed', 'is not used: the jobs of a batch are timed by `flux jobs`');
  unusedSubmission(spec, warn, 'write options before the command of each line');
  const logs = container.logs ?? defaultLogs;
  const source = container.commands?.script ?? container.command ?? '';
  const lines = source
    .split('\n')
    .map((line, index) => [line.trim(), index] as const)
    .filter(([line]) => line !== '' && !line.startsWith('#'))
    .map(
      ([line, index]) =>
        `${toLine([`--error=${logs}/job-${index}.err`, `--output=${logs}/job-${index}.out`])} ${line}`,
    );
  return { mode: 'batch', command: [lines.join('\n')] };
}

function withPrefix({ spec, fluxContainer, warn }: Cluster, line: string): string {
  const timed = spec.logging?.timed ? '/usr/bin/time -f "FLUXTIME fluxsubmit wall time %E"' : '';
  if (timed) {
    warn(
      'spec.logging.timed',
      'times the command with the image’s /usr/bin/time; the log times the instance itself',
    );
  }
  return [timed, fluxContainer.container.commands?.prefix?.trim() ?? '', line]
    .filter((part) => part !== '')
    .join(' ');
}

function unusedSubmission({ flux, logging }: Cluster['spec'], warn: Cluster['warn'], why: string): void {
  if (flux?.optionFlags) warn('spec.flux.optionFlags', `is not used: ${why}`);
  if (flux?.submitCommand) warn('spec.flux.submitCommand', `is not used: ${why}`);
  if (logging?.debug) warn('spec.logging.debug', `makes only the log more talkative: ${why}`);
}

/** Whether the command is one job, so that its command line has the tasks already. */
const isOneJob = ({ fluxContainer }: Cluster, { mode }: Program): boolean =>
  mode === 'submit' ||
  (mode === 'start' && !fluxContainer.container.launcher && !fluxContainer.container.batch);

function reasonWithoutTasks({ fluxContainer }: Cluster, { mode }: Program): string {
  if (mode === 'interactive') return 'an interactive instance submits nothing itself';
  return fluxContainer.container.launcher
    ? 'a launcher submits its own jobs'
    : 'the jobs of a batch say how many they need';
}

/** Words that no shell would read as anything but themselves. */
const plainWords = /^[\w@%+:,./-][\w@%+=:,./-]*(\s+[\w@%+=:,./-]+)*$/;

/** A line of a shell as the words to execute: the words themselves where they are plain, else bash with the line. */
function toWords(line: string): string[] {
  const trimmed = line.trim();
  if (trimmed === '') return [];
  const first = trimmed.split(/\s/, 1)[0] ?? '';
  // A=1 before a command is an assignment, and a command of several lines a script.
  const plain = plainWords.test(trimmed) && !first.includes('=') && !trimmed.includes('\n');
  return plain ? trimmed.split(/\s+/) : ['/bin/bash', '-c', trimmed];
}
