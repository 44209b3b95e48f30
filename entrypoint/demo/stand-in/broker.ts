/** A stand-in broker: joins the tree of its instance, runs the initial program on rank 0, and leaves in order. */
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { constants } from 'node:os';
import { type Ending, endingOf } from '../../../agent/broker/process.ts';
import { type BrokerConfig, readBrokerConfig } from './config.ts';
import { createJobs } from './jobs.ts';
import { createOverlay } from './overlay.ts';
import { createTasks } from './tasks.ts';
import { type Link, type Message, openLink } from './wire.ts';

/** `flux broker ARGS...` */
export async function runBroker(args: readonly string[]): Promise<number> {
  let config: BrokerConfig;
  try {
    config = readBrokerConfig(args);
  } catch (error) {
    process.stderr.write(`flux-broker: ${error instanceof Error ? error.message : error}\n`);
    return 1;
  }
  const log = createLog(config);
  const online = new Set<number>();
  const stop = Promise.withResolvers<'parent-fail' | 'shutdown' | 'signal'>();
  const running = Promise.withResolvers<void>();
  const quorum = Number(config.attributes.get('broker.quorum') ?? config.size);
  const leader = config.rank === 0;

  const handle = (message: Message): void => {
    if (message.type === 'online') online.add(message.rank);
    if (message.type === 'offline') online.delete(message.rank);
    if (message.type === 'run' || (leader && online.size >= quorum)) running.resolve();
    if (message.type === 'shutdown') stop.resolve('shutdown');
    if (message.type === 'task') tasks.start(message);
    if (message.type === 'output' || message.type === 'exit') jobs.report(message);
  };
  const tasks = createTasks(config, (message) => (leader ? handle(message) : overlay.up(message)));
  const jobs = createJobs(config, online, (task) =>
    task.rank === config.rank ? tasks.start(task) : overlay.down({ type: 'task', ...task }),
  );
  const overlay = createOverlay(config, handle, () => stop.resolve('parent-fail'), log.fail);

  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const;
  let hangUp = () => stop.resolve('signal');
  for (const signal of signals) {
    process.on(signal, () => {
      log.say(`signal ${constants.signals[signal]}`);
      hangUp();
    });
  }

  const clients = serveClients(config, jobs);
  if (!(await overlay.listen())) return 1;
  log.enter('builtins-success', 'join');
  const joined = await Promise.race([overlay.join(), stop.promise]);
  if (joined === 'signal') return leave(1);
  log.enter(leader ? 'parent-none' : 'parent-ready', 'init');
  if (joined === 'parent-fail') return leave(1);
  log.enter('rc1-success', 'quorum');
  if (leader) handle({ type: 'online', rank: 0 });
  else overlay.up({ type: 'online', rank: config.rank });
  const reached = await Promise.race([running.promise, stop.promise]);
  if (reached === 'parent-fail' || reached === 'signal')
    return leave(reached === 'signal' && !leader ? 0 : 1);
  if (reached !== 'shutdown') {
    log.enter('quorum-full', 'run');
    overlay.broadcast({ type: 'run' });
  }
  if (!leader) {
    const why = await stop.promise;
    log.enter(why === 'signal' ? 'shutdown-abort' : why, 'cleanup');
    return leave(why === 'parent-fail' ? 1 : 0);
  }
  const code = config.attributes.has('broker.rc2_none') ? await waitForEnd() : await runProgram();
  log.enter(code === 0 ? 'rc2-success' : 'rc2-fail', 'cleanup');
  return leave(code);

  async function waitForEnd(): Promise<number> {
    await stop.promise;
    return 0;
  }

  async function runProgram(): Promise<number> {
    const program = startProgram(config);
    hangUp = () => program.kill('SIGHUP');
    return (await program.ended).code;
  }

  /** Children first, then the tasks, then this broker. */
  async function leave(code: number): Promise<number> {
    hangUp = () => undefined;
    log.enter('cleanup-success', 'shutdown');
    overlay.broadcast({ type: 'shutdown' });
    await overlay.childrenGone();
    tasks.signalAll('SIGTERM');
    log.enter('children-complete', 'finalize');
    overlay.close();
    clients.close();
    rmSync(socketPath(config), { force: true });
    hangUpGroup();
    log.enter('rc3-success', 'goodbye');
    log.enter('goodbye', 'exit');
    return code;
  }
}

/** The log lines of flux-core's state machine, as they look when stderr is no terminal. */
function createLog({ rank, attributes }: BrokerConfig) {
  const level = Number(attributes.get('log-stderr-level') ?? 3);
  let state = 'load-builtins';
  const write = (severity: number, name: string, text: string) => {
    if (severity <= level) process.stderr.write(`<${severity}>broker.${name}[${rank}]: ${text}\n`);
  };
  return {
    enter: (event: string, next: string) => {
      write(6, 'info', `${event}: ${state}->${next} 0ms`);
      state = next;
    },
    say: (text: string) => write(6, 'info', text),
    fail: (text: string) => write(3, 'err', text),
  };
}

/** flux-core src/broker/broker.c: a lone word is a shell's, several are executed as they are. */
function startProgram({ program, attributes }: BrokerConfig) {
  const [first = '/bin/sh', ...rest] = program.length === 1 ? ['/bin/sh', '-c', ...program] : program;
  const env = { ...process.env, FLUX_URI: attributes.get('local-uri') ?? '' };
  const child = spawn(first, rest, { stdio: 'inherit', env });
  const ended = new Promise<Ending>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve({ code: error.code === 'ENOENT' ? 127 : 126, signal: undefined }),
    );
    child.once('exit', (code, signal) => resolve(endingOf(code, signal)));
  });
  return { ended, kill: (signal: NodeJS.Signals) => void child.kill(signal) };
}

const socketPath = ({ attributes }: BrokerConfig): string =>
  (attributes.get('local-uri') ?? '').replace(/^local:\/\//, '');

function serveClients(config: BrokerConfig, jobs: ReturnType<typeof createJobs>): Server {
  const answer = (message: Message, link: Link): void => {
    if (message.type === 'getattr') {
      const value = config.attributes.get(message.name);
      link.send(
        value === undefined
          ? { type: 'error', error: 'No such file or directory' }
          : { type: 'value', value },
      );
    } else if (config.rank !== 0)
      link.send({ type: 'error', error: "flux-pod's stand-in runs jobs on the leader only" });
    else if (message.type === 'resources') link.send({ type: 'value', value: jobs.resourceTable() });
    else if (message.type === 'submit') jobs.submit(message, link);
    else if (message.type === 'attach') jobs.attach(message.job, link);
  };
  const server = createServer((socket) => void openLink(socket, answer, () => undefined));
  rmSync(socketPath(config), { force: true });
  if (socketPath(config) !== '') server.listen(socketPath(config));
  return server;
}

/** flux-core src/broker/broker.c: a broker that leads its process group hangs up what the program left behind. */
function hangUpGroup(): void {
  const group = Number(readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ')[2]);
  if (group === process.pid) process.kill(0, 'SIGHUP');
}
