/** An orderly stop, for the leader and for a follower, each within the grace period. */
import { setTimeout as delay } from 'node:timers/promises';
import type { BrokerProcess } from '../broker/process.ts';
import { findProgram } from '../broker/processes.ts';
import type { FluxClient } from '../flux/client.ts';
import type { Observations } from '../health/observations.ts';
import { stateOf } from '../health/observations.ts';
import { longestTimerMs } from '../instant.ts';
import type { Log } from '../log.ts';
import type { ParentLinks } from '../parent-link/parent.ts';
import { drainSelf } from './drain.ts';
import type { Target } from './signals.ts';

export interface Stopping {
  readonly broker: BrokerProcess;
  readonly observations: Observations;
  readonly parentLinks: () => ParentLinks | undefined;
  readonly client: () => FluxClient | undefined;
  /** Fulfilled when the parent has said that it stops: then the whole instance does. */
  readonly parentStops: Promise<void>;
  readonly log: Log;
}

/** The leader stops the instance: its broker hangs up the program, cancels jobs and saves its state; followers are told at once. */
export function leaderTarget(stopping: Stopping): Target {
  const { broker, parentLinks } = stopping;
  return {
    program: () => runningProgram(stopping),
    pass: broker.signal,
    stop: (signal, first) => {
      if (first) {
        parentLinks()?.announce({ kind: 'stopping', signal });
        killAfterGrace(stopping);
      }
      broker.signal('SIGTERM');
    },
  };
}

/** Time in which a parent that is stopped with this pod, because the Job is deleted, says so. */
const parentSaysMs = 500;
/** A broker leaves in less than a second; one whose parent has gone would wait a minute for its goodbye. */
const leaveMs = 5000;

/** A follower alone leaves: it takes no new jobs, then goes. When the whole instance stops, it goes with the instance. */
export function followerTarget(stopping: Stopping): Target {
  const { broker, client, parentLinks, observations, parentStops, log } = stopping;
  const leave = async (signal: NodeJS.Signals) => {
    await drainSelf(client(), observations, log);
    const together = await Promise.race([parentStops.then(() => true), delay(parentSaysMs, false)]);
    if (together) return;
    // Its children's brokers are shut down with its own.
    parentLinks()?.announce({ kind: 'stopping', signal });
    broker.signal('SIGTERM');
    killAfter(broker, leaveMs);
  };
  return {
    program: () => undefined,
    pass: broker.signal,
    stop: (signal, first) => {
      if (!first) return broker.signal(signal);
      killAfterGrace(stopping);
      void leave(signal);
    },
  };
}

function killAfterGrace({ broker, observations, log }: Stopping): void {
  const { grace } = observations.configuration;
  killAfter(broker, grace * 1000, () =>
    log('warn', `The stop took longer than FLUX_POD_GRACE, ${grace} s: the broker is killed`),
  );
}

function killAfter(broker: BrokerProcess, milliseconds: number, before: () => void = () => undefined): void {
  const timer = setTimeout(
    () => {
      before();
      broker.kill();
    },
    Math.min(milliseconds, longestTimerMs),
  );
  void broker.ended.then(() => clearTimeout(timer));
}

/** The program's process id, from its start to its end. */
const runningProgram = ({ broker, observations }: Stopping): number | undefined =>
  findProgram(broker.pid, stateOf(observations.broker) === 'run');
