/** Executes the commands of a leader's or a follower's machine, and feeds it the events: one broker after the other is started and supervised. */
import type { BrokerProcess } from '../broker/process/broker-process.ts';
import { after } from '../clock.ts';
import type { ParentLinks } from '../parent-link/parent-end.ts';
import { runBroker } from './broker/run-broker.ts';
import type { Command, Event, Exit, Machine } from './machine.ts';
import { type ReachParent, reachParent } from './parent/reach-parent.ts';
import { runMachine } from './run-machine.ts';
import type { Services } from './services/services.ts';
import { drainSelf } from './stop/drain.ts';
import type { Supervised } from './supervised.ts';

/**
 * To load and begin the watch is a tenth of the CPU that an agent uses until the instance runs, on cores that the brokers start on. The kubelet
 * takes a minute to change a mount, and the first act of the watch is to read the files.
 */
const watchMountsAfterMs = 5000;

/** Runs the machine to its exit. */
export async function supervise<State>(machine: Machine<State>, of: Supervised): Promise<Exit> {
  const { pod, signals, lifecycle, connection, startServices, log } = of;
  const { parent, rank } = pod.membership;
  let broker: BrokerProcess | undefined;
  let start = new AbortController();
  const ended = new AbortController();
  let reach: ReachParent | undefined;
  let services: Promise<Services> | undefined;
  let mounts: Promise<() => Promise<void>> | undefined;
  let cancelMounts: (() => void) | undefined;

  // One after the other, and none before the services are there: an outcome that is announced sooner is not lost.
  let linksDone: Promise<void> = Promise.resolve();
  const withLinks = (act: (links: ParentLinks) => void | Promise<void>): Promise<void> => {
    linksDone = linksDone.then(async () => {
      const links = (await services)?.links;
      if (links) await act(links);
    });
    return linksDone;
  };

  const execute = async (command: Exclude<Command, { do: 'exit' }>, feed: (event: Event) => void) => {
    const toParent = () => (reach ??= reachParent(of, feed));
    switch (command.do) {
      case 'start services':
        services = startServices();
        await services;
        return;
      case 'enter await-parent':
        return lifecycle.enter('await-parent', { parent: parent?.target.host, port: parent?.target.port });
      case 'find parent':
        return toParent().find(command);
      case 'stop finding':
        return reach?.stopFinding();
      case 'watch mounts':
        cancelMounts = after(watchMountsAfterMs, () => {
          mounts = import('./services/watch-mounts.ts').then(({ watchMounts }) => watchMounts(of));
        });
        return;
      case 'start broker':
        start = new AbortController();
        return runBroker(command.parent, start.signal, of, feed, (started) => {
          broker = started;
        });
      case 'cancel start':
        return start.abort(new Error('the start was cancelled'));
      case 'signal broker':
        return broker?.signal(command.signal);
      case 'kill broker':
        return broker?.kill();
      case 'watch idle': {
        const { watchIdle } = await import('../instance/watch-idle.ts');
        const { connectFlux } = await import('../flux/client.ts');
        return watchIdle({
          connect: (how) => connectFlux(pod.directory.socket, how),
          idleMs: command.seconds * 1000,
          onIdle: () => feed({ kind: 'idle' }),
          signal: ended.signal,
          log,
        });
      }
      case 'drain':
        await drainSelf(connection, rank, log);
        return feed({ kind: 'drained' });
      case 'open link':
        return toParent().openLink(command.host);
      case 'close link':
        return reach?.closeLink();
      case 'accept child links':
        return withLinks(async (links) => links.begin(await pod.linkKey()));
      case 'announce':
        return withLinks((links) => links.announce(command.message));
      case 'break child links':
        return withLinks((links) => links.interrupt());
      case 'log':
        return log(command.level, command.sentence, command.facts);
    }
  };
  const { feed, exited } = runMachine(machine, execute);
  signals.onStop((signal) => feed({ kind: 'signal', signal }));
  const exit = await exited;
  await linksDone.catch(() => undefined); // what has failed is an event
  ended.abort();
  reach?.stopFinding();
  reach?.closeLink();
  cancelMounts?.();
  void mounts?.then((end) => end());
  return exit;
}
