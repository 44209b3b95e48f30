/** Does what the machine of a leader or a follower commands, and gives it the events: one broker after the other is started and supervised. */
import type { BrokerProcess } from '../broker/process/broker-process.ts';
import type { Observations } from '../health/observations.ts';
import type { Log } from '../log.ts';
import type { Lifecycle } from '../pod/phase.ts';
import { drainSelf } from './drain.ts';
import { type Command, type Event, type Exit, type Machine, runMachine } from './machine.ts';
import type { PreparedPod } from './prepare.ts';
import { type ReachParent, reachParent } from './reach-parent.ts';
import type { Reporting } from './reporting.ts';
import { runBroker } from './run-broker.ts';
import type { Signals } from './signals.ts';
import type { Reread } from './watch-mounts.ts';

export interface Supervised {
  readonly pod: PreparedPod;
  /** Whether standard input is one. */
  readonly terminal: boolean;
  readonly signals: Signals;
  readonly lifecycle: Lifecycle;
  readonly observations: Observations;
  readonly reporting: Reporting;
  readonly reread: Reread;
  readonly log: Log;
}

/** Runs the machine to its exit. */
export async function supervise<State>(machine: Machine<State>, of: Supervised): Promise<Exit> {
  const { pod, signals, lifecycle, observations, reporting, reread, log } = of;
  const { parent } = pod.membership;
  let broker: BrokerProcess | undefined;
  let start = new AbortController();
  let reach: ReachParent | undefined;

  const execute = (command: Exclude<Command, { do: 'exit' }>, feed: (event: Event) => void) => {
    const toParent = () => (reach ??= reachParent(of, feed));
    switch (command.do) {
      case 'enter await-parent':
        return lifecycle.enter('await-parent', { parent: parent?.target.host, port: parent?.target.port });
      case 'find parent':
        return toParent().find(command);
      case 'stop finding':
        return reach?.stopFinding();
      case 'watch mounts':
        return reporting.watchMounts(pod, reread);
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
      case 'drain':
        return drainSelf(reporting.client(), observations, log).then(() => feed({ kind: 'drained' }));
      case 'open link':
        return toParent().openLink(command.host);
      case 'close link':
        return reach?.closeLink();
      case 'announce':
        return reporting.parentLinks()?.announce(command.message);
      case 'break child links':
        return reporting.parentLinks()?.interrupt();
      case 'log':
        return log(command.level, command.sentence, command.facts);
    }
  };
  const { feed, exited } = runMachine(machine, execute);
  signals.onStop((signal) => feed({ kind: 'signal', signal }));
  const exit = await exited;
  reach?.stopFinding();
  reach?.closeLink();
  return exit;
}
