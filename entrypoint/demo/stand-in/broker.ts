/** A stand-in broker: joins the tree of its instance, runs the initial program on rank 0, and leaves in order. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import { NodeId } from '../../../agent/flux/constants.ts';
import { type BrokerState, brokerStates } from '../../../agent/flux/services/state-machine.ts';
import { changeOnline, serveGroups } from './broker-groups.ts';
import { type BrokerConfig, readBrokerConfig } from './broker-options.ts';
import { createStates } from './broker-state.ts';
import { hangUpGroup, startProgram } from './initial-program.ts';
import { type Jobs, serveJobs } from './jobs/job-services.ts';
import { serveModules, serveResourceJournal } from './jobs/journals.ts';
import { serveResources } from './jobs/resource-service.ts';
import { serveTasks } from './jobs/tasks.ts';
import { serveBroker, serveLocal } from './local-socket.ts';
import { createRouter, type Router } from './message-router.ts';
import { createChildren } from './overlay/children.ts';
import { createParent } from './overlay/overlay-parent.ts';

/** How long jobs may take to end when the instance does. */
const cleanupMs = 2000;

/** `flux broker ARGS...` */
export async function runBroker(args: readonly string[]): Promise<number> {
  let config: BrokerConfig;
  try {
    config = readBrokerConfig(args);
  } catch (error) {
    process.stderr.write(`flux-broker: ${error instanceof Error ? error.message : error}\n`);
    return 1;
  }
  return live(config);
}

async function live(config: BrokerConfig): Promise<number> {
  const leader = config.rank === 0;
  const broker = assemble(config);
  const { states, parent, children, router } = broker;
  const { post, until, current } = states;
  let hangUp: (() => void) | undefined;
  onSignal((signal) => {
    if (current() === 'exit') return;
    states.log.info(`signal ${signal}`);
    if (hangUp) hangUp();
    else if (current() === 'join') broker.fail('parent-fail');
    else post(current() === 'quorum' ? 'quorum-fail' : 'shutdown');
  });

  if (!(await children.listen())) return 1;
  post('builtins-success');
  if (leader) post('parent-none');
  else void parent.join(children.status).then(() => followParent(broker));
  await until('config-sync');
  post(leader ? 'sync-none' : 'sync-success');
  post('rc1-success');
  const beat = leader ? setInterval(() => router.publish('heartbeat.pulse'), config.heartbeatMs) : undefined;
  if (states.wasIn('init')) changeOnline(router, 'join', [config.rank]);
  await until('run');
  if (leader && current() === 'run' && !config.attributes.has('broker.rc2_none')) {
    const program = startProgram(config);
    hangUp = () => program.kill('SIGHUP');
    const { code } = await program.ended;
    hangUp = undefined;
    if (code === 0) post('rc2-success');
    else broker.fail('rc2-fail', code);
  }
  await until('cleanup');
  await leave(broker, leader);
  clearInterval(beat);
  hangUpGroup();
  return broker.code();
}

/** Ends jobs, waits until the children have left, says goodbye to the parent. */
async function leave(
  { states, jobs, tasks, children, parent, local }: Broker,
  leader: boolean,
): Promise<void> {
  const { post, wasIn } = states;
  await jobs?.cancelAll(cleanupMs);
  post(leader ? 'cleanup-success' : 'cleanup-none');
  children.spurn();
  const alone = children.online() === 0;
  await children.allLeft();
  tasks.signalAll('SIGTERM');
  post(alone ? 'children-none' : 'children-complete');
  post(wasIn('init') ? 'rc3-success' : 'rc3-fail');
  await parent.leave();
  local.close();
  children.close();
  post('goodbye');
  post('builtins-done');
}

type Broker = ReturnType<typeof assemble>;

/** The parts of a broker, each of which serves its own topics. */
function assemble(config: BrokerConfig) {
  const { rank, tree } = config;
  const uuid = randomUUID();
  const states = createStates(config);
  const { post, current, log } = states;
  let code = 0;
  const fail = (event: string, exitCode = 1) => {
    code = exitCode;
    post(event);
  };
  const router = createRouter({ ...config, isOnline: () => states.wasIn('init') });
  const parent = createParent(config, router, { uuid, log }, () =>
    fail(current() === 'quorum' ? 'quorum-fail' : 'parent-fail'),
  );
  const subtreeOf = (root: number): number[] => [root, ...tree.childrenOf(root).flatMap(subtreeOf)];
  const children = createChildren(config, router, {
    uuid,
    log,
    onStatus: parent.sendStatus,
    onLoss: (child) => changeOnline(router, 'leave', subtreeOf(child)),
  });
  states.serve(router);
  serveBroker(config, router);
  const tasks = serveTasks(config, router);
  const jobs = rank === 0 ? serveInstance(config, router, post) : serveGroups(config, router);
  const local = serveLocal(config, router);
  return { states, router, parent, children, tasks, jobs, local, fail, code: () => code };
}

/** What only rank 0 has: jobs, resources, and who is online. */
function serveInstance(config: BrokerConfig, router: Router, post: (event: string) => void): Jobs {
  const quorum = Number(config.attributes.get('broker.quorum') ?? config.size);
  const online = new Set<number>();
  const jobs = serveJobs(config, router, online);
  serveResources(config, router, online, jobs.allocated);
  const journal = serveResourceJournal(config, router, online);
  serveModules(router);
  serveGroups(config, router, {
    online,
    onChange: () => {
      journal.changed();
      if (online.size >= quorum) post('quorum-full');
      jobs.schedule();
    },
  });
  return jobs;
}

/** A follower goes where its parent goes (flux-core src/broker/state_machine.c, join_check_parent and its like). */
async function followParent({ router, states: { post, until, current }, fail }: Broker): Promise<void> {
  let parent: BrokerState = 'load-builtins';
  const parentReached = (state: BrokerState) => brokerStates.indexOf(parent) >= brokerStates.indexOf(state);
  const check = () => {
    const state = current();
    if (state === 'join' && parentReached('cleanup')) fail('parent-fail');
    else if (state === 'join' && parentReached('quorum')) post('parent-ready');
    else if (state === 'quorum' && parentReached('cleanup')) post('quorum-fail');
    else if (state === 'quorum' && parent === 'run') post('quorum-full');
    else if (state === 'run' && parent === 'shutdown') post('shutdown');
    else if (state === 'run' && parentReached('finalize')) fail('parent-fail');
  };
  void until('quorum').then(check);
  void until('run').then(check);
  const stream = router.channel.stream('state-machine.monitor', undefined, { nodeid: NodeId.upstream });
  for await (const answer of stream) {
    parent = brokerStates[(answer as { state: number }).state] ?? 'exit';
    check();
  }
}

/** Signals end the program, and a broker that has none, wherever it is on its way. */
function onSignal(act: (signum: number) => void): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const)
    process.on(signal, () => act(constants.signals[signal]));
}
