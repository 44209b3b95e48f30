import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFlux } from '../../agent/broker/find-flux.ts';
import { ExitCode, messageOf, PodError, signalCode } from '../../agent/errors.ts';
import { openJobs } from '../jobs/jobs-client.ts';
import type { DemoRequest } from '../verbs/setup/demo.ts';
import { type DemoCluster, type DemoPod, freePort, startDemoCluster } from './demo-cluster.ts';
import { submitSampleJobs } from './sample-jobs.ts';
import { writeStandInFlux } from './stand-in/install-stand-in.ts';
import { createView, type DemoView } from './view.ts';

/** Runs on each node and prints which broker runs it; all nodes of the demo are one machine with one hostname. */
const hello = 'echo "hello from $(flux getattr hostname), task $FLUX_TASK_RANK of $FLUX_JOB_SIZE"';

/** Runs a demo until its pods have ended. Resolves to the leader's exit code, or to 128+N after signal N. */
export async function runDemo(request: DemoRequest): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'flux-pod-demo-'));
  try {
    const { flux, sentence } = await chooseFlux(directory);
    process.stdout.write(`${sentence}\n`);
    return await runPods({ ...request, flux, directory });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const defaultCommand = (size: number): string[] => [
  'sh',
  '-c',
  `flux resource list && flux run -N${size} sh -c '${hello}'`,
];

interface Demo extends DemoRequest {
  readonly flux: string;
  readonly directory: string;
}

const webHost = '127.0.0.1';
/** The API's own default; another where it is taken. */
const webPort = 8052;

async function runPods({ size, flux, command, directory, ...demo }: Demo): Promise<number> {
  const startedAt = Date.now();
  const names = Array.from({ length: size }, (_, index) => `demo-${index}`);
  const view = createView(names, process.stdout.isTTY === true, startedAt);
  const web = demo.web ? { host: webHost, port: await freePort(webHost, webPort) } : undefined;
  const staysUp = demo.web && command.length === 0;
  // Before its broker is in state run the leader serves the API, which then takes no jobs yet.
  const served = Promise.withResolvers<void>();
  const runs = Promise.withResolvers<void>();
  const milestones = { onApi: served.resolve, onRun: runs.resolve };
  const cluster = await startDemoCluster({
    size,
    flux,
    command: staysUp || command.length > 0 ? command : defaultCommand(size),
    web,
    directory,
    onLine: (pod, stream, line) =>
      stream === 'stdout' ? view.line(line) : show(view, pod, line, milestones),
  });
  if (web)
    void Promise.all([served.promise, runs.promise]).then(() => showPage(`http://${web.host}:${web.port}/`));
  const interrupted = stopBySignal(cluster);
  const codes = await Promise.all(cluster.pods.map((pod) => pod.ended));
  await cluster.close();
  view.finish();
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  const signal = interrupted();
  process.stdout.write(
    signal || staysUp
      ? `${size} pods were up for ${seconds} s: exit codes ${codes.join(' ')}\n`
      : `${size} pods came up, ran the program and ended in ${seconds} s: exit codes ${codes.join(' ')}\n`,
  );
  return signal ? signalCode(signal) : (codes[0] ?? ExitCode.internal);

  async function showPage(url: string): Promise<void> {
    try {
      using jobs = await openJobs({ url }, {});
      if (staysUp) await submitSampleJobs(jobs, size);
    } catch (error) {
      view.line(`The sample jobs were not submitted: ${messageOf(error)}`);
    }
    view.line(`The web page is at ${url} (Ctrl-C ends the demo)`);
  }
}

/** What the page needs of the leader. */
interface Milestones {
  readonly onApi: () => void;
  readonly onRun: () => void;
}

/** A signal stops all pods, as deleting the Job would; a further one cuts their clean-up short. Returns a promise of the first. */
function stopBySignal({ pods }: DemoCluster): () => NodeJS.Signals | undefined {
  let first: NodeJS.Signals | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      first ??= signal;
      for (const pod of pods) pod.signal('SIGTERM');
    });
  }
  return () => first;
}

/** Sorts a line of a pod's stderr: the agent's phases, the broker's states, and whatever is a warning or worse. */
function show(view: DemoView, pod: DemoPod, line: string, { onApi, onRun }: Milestones): void {
  if (line.startsWith('{')) tellAgent(view, pod, line, onApi);
  else tellBroker(view, pod, line, onRun);
}

function tellAgent(view: DemoView, pod: DemoPod, line: string, onApi: () => void): void {
  const { phase, level, msg, waitingFor, seen } = JSON.parse(line);
  if (phase) view.state(pod.name, 'agent', phase);
  else if (msg === 'The API is served') onApi();
  else if (waitingFor) view.state(pod.name, 'agent', `await-parent (its ${waitingFor}: ${seen})`);
  else if (level !== 'info' && level !== 'debug') view.line(`${pod.name}: ${msg}`);
}

/** `<6>broker.info[0]: quorum-full: quorum->run 0.1s`, on a terminal with a time in place of the `<6>`. */
function tellBroker(view: DemoView, pod: DemoPod, line: string, onRun: () => void): void {
  const [, module, level, message] = /^(?:<\d>|.*\s)?([\w-]+)\.(\w+)\[\d+\]: (.*)$/.exec(line) ?? [];
  const state = module === 'broker' ? /^\S+: [\w-]+->([\w-]+)/.exec(message ?? '')?.[1] : undefined;
  if (state === 'run' && pod.index === 0) onRun();
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
