import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFlux } from '../../agent/broker/find-flux.ts';
import { ExitCode, PodError } from '../../agent/errors.ts';
import { type Flag, parseVerbArguments } from '../arguments.ts';
import { type DemoPod, startDemoCluster } from '../demo/cluster.ts';

import { writeStandInFlux } from '../demo/stand-in/install.ts';
import { createView, type DemoView } from '../demo/view.ts';

/** Runs on each node and says which broker runs it; all nodes of the demo are one machine with one hostname. */
const hello = 'echo "hello from $(flux getattr hostname), task $FLUX_TASK_RANK of $FLUX_JOB_SIZE"';

export const demoFlags = {
  size: { type: 'string', default: '4', value: 'N', meaning: 'so many pods (default: 4)' },
} as const satisfies Record<string, Flag>;

/**
 * `flux-pod demo [--size N] [-- COMMAND...]`: a MiniCluster of N pods as processes on this machine's loopback addresses. Ends
 * with the leader's code.
 */
export async function demo(args: readonly string[]): Promise<number> {
  const { flags, command } = parseVerbArguments('demo', args, demoFlags);
  const size = sizeOf(String(flags.size));
  const directory = mkdtempSync(join(tmpdir(), 'flux-pod-demo-'));
  try {
    const { flux, sentence } = await chooseFlux(directory);
    process.stdout.write(`${sentence}\n`);
    return await runDemo(size, flux, command.length > 0 ? command : defaultCommand(size), directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const defaultCommand = (size: number): string[] => [
  'sh',
  '-c',
  `flux resource list && flux run -N${size} sh -c '${hello}'`,
];

async function runDemo(
  size: number,
  flux: string,
  command: readonly string[],
  directory: string,
): Promise<number> {
  const startedAt = Date.now();
  const names = Array.from({ length: size }, (_, index) => `demo-${index}`);
  const view = createView(names, process.stdout.isTTY === true, startedAt);
  const cluster = await startDemoCluster({
    size,
    flux,
    command,
    directory,
    onLine: (pod, stream, line) => (stream === 'stdout' ? view.line(line) : tell(view, pod, line)),
  });
  const stop = (signal: NodeJS.Signals) => {
    for (const pod of cluster.pods) pod.signal(signal);
  };
  process.on('SIGINT', () => stop('SIGTERM')).on('SIGTERM', () => stop('SIGTERM'));
  const codes = await Promise.all(cluster.pods.map((pod) => pod.ended));
  await cluster.close();
  view.finish();
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  process.stdout.write(
    `${size} pods came up, ran the program and ended in ${seconds} s: exit codes ${codes.join(' ')}\n`,
  );
  return codes[0] ?? ExitCode.internal;
}

/** Sorts a line of a pod's stderr: the agent's phases, the broker's states, and whatever is a warning or worse. */
function tell(view: DemoView, pod: DemoPod, line: string): void {
  if (line.startsWith('{')) tellAgent(view, pod, line);
  else tellBroker(view, pod, line);
}

function tellAgent(view: DemoView, pod: DemoPod, line: string): void {
  const { phase, level, msg, waitingFor, seen } = JSON.parse(line);
  if (phase) view.state(pod.name, 'agent', phase);
  else if (waitingFor) view.state(pod.name, 'agent', `await-parent (its ${waitingFor}: ${seen})`);
  else if (level !== 'info' && level !== 'debug') view.line(`${pod.name}: ${msg}`);
}

/** `<6>broker.info[0]: quorum-full: quorum->run 0.1s`, on a terminal with a time in place of the `<6>`. */
function tellBroker(view: DemoView, pod: DemoPod, line: string): void {
  const [, module, level, message] = /^(?:<\d>|.*\s)?([\w-]+)\.(\w+)\[\d+\]: (.*)$/.exec(line) ?? [];
  const state = module === 'broker' ? /^\S+: [\w-]+->([\w-]+)/.exec(message ?? '')?.[1] : undefined;
  if (state) view.state(pod.name, 'broker', state);
  else if (level !== 'info' && level !== 'debug') view.line(`${pod.name}: ${line}`);
}

async function chooseFlux(directory: string): Promise<{ flux: string; sentence: string }> {
  try {
    const flux = findFlux(process.env.FLUX_POD_FLUX, process.env.PATH ?? '');
    return { flux, sentence: `Flux: ${flux}` };
  } catch (error) {
    if (!(error instanceof PodError) || process.env.FLUX_POD_FLUX) throw error;
    const flux = writeStandInFlux(join(directory, 'bin'));
    return {
      flux,
      sentence:
        'Flux: none on this machine. The embedded stand-in plays its part: the same bootstrap, but no real Flux.',
    };
  }
}

function sizeOf(text: string): number {
  const size = Number(text);
  if (Number.isInteger(size) && size >= 1 && size <= 1000) return size;
  throw new PodError(
    ExitCode.usage,
    `Cannot run a demo with --size ${text}: expected a whole number from 1 to 1000`,
  );
}
