/**
 * A whole instance on a virtual clock: each pod has the state machine that its agent has, and the search for its parent. Brokers, parent links
 * and CoreDNS behave as they do: a broker joins at the address that it was started with, and never finds a parent elsewhere.
 */
import type { Tree } from '../../../agent/cluster/topology.ts';
import { awaitParent } from '../../../agent/dns/await-parent.ts';
import type { KeyMemory } from '../../../agent/dns/wait/cache-keys.ts';
import { follower } from '../../../agent/lifecycle/follower/follower.ts';
import { leader } from '../../../agent/lifecycle/leader.ts';
import type { Command, Event, Exit, Machine } from '../../../agent/lifecycle/machine.ts';
import { runMachine } from '../../../agent/lifecycle/run-machine.ts';
import type { Announcement } from '../../../agent/parent-link/announcement.ts';
import { brokerState, exitedWith, linkBroken, linkOpened, noLink, started } from './played-machine.ts';
import { type VirtualCluster, virtualCluster } from './virtual-cluster.ts';
import { type VirtualTime, virtualTime } from './virtual-time.ts';
import { seeded } from './virtual-wait.ts';

export interface VirtualInstance {
  readonly time: VirtualTime;
  readonly cluster: VirtualCluster;
  /** Starts the pod of this rank, or its replacement, at an address of its own. Its name has a record so many milliseconds later. */
  readonly startPod: (rank: number, recordAfterMs?: number) => void;
  /** The pod is gone: its connections break, and packets to its address are lost. */
  readonly killPod: (rank: number) => void;
  /** The leader's program exits with this code. */
  readonly endProgram: (code: number) => void;
  /** Ranks whose brokers are in `run`. */
  readonly running: () => number;
  /** Open parent links, and attempts to open one. */
  readonly links: () => { open: number; attempts: number };
  /** DNS queries of the searches that have found a parent. */
  readonly questionsOf: (rank: number) => number;
  readonly exitOf: (rank: number) => Exit | undefined;
}

const startBrokerMs = 300;
const killMs = 5;
const joinMs = 10;
const shutDownLevelMs = 20;
const roundTripMs = 1;
const unreachableMs = 500;
const port = 8050;
const nameOf = (rank: number) => `mc-${rank}.flux-service.default.svc.cluster.local`;

interface Broker {
  readonly incarnation: string;
  readonly parent: string | undefined;
  isJoined: boolean;
  isRunning: boolean;
}

interface Pod {
  readonly rank: number;
  readonly address: string;
  readonly feed: (event: Event) => void;
  isGone: boolean;
  broker: Broker | undefined;
  isCancelled: boolean;
  /** What it has announced to its children; undefined while it accepts no links. */
  announced: Announcement[] | undefined;
  /** Its children with an open link. */
  readonly children: Set<Pod>;
  parent: Pod | undefined;
  /** Of the link: what an earlier one comes to is no longer heard. */
  attempt: number;
  search: AbortController;
  readonly keyMemory: KeyMemory;
  exit: Exit | undefined;
}

export function virtualInstance(tree: Tree): VirtualInstance {
  const { size } = tree;
  const time = virtualTime();
  const random = seeded(size);
  const cluster = virtualCluster(time, { random });
  const pods: Pod[] = [];
  const at = new Map<string, Pod>();
  const questions: number[] = Array.from({ length: size }, () => 0);
  let attempts = 0;
  let brokersStarted = 0;

  const soon = (ms: number, pod: Pod, act: () => void) =>
    time.after(ms, () => {
      if (!pod.isGone && !pod.exit) act();
    });

  // Brokers.

  const isJoined = (pod: Pod | undefined) => pod?.broker?.isJoined === true;
  /** Its broker joins where its parent’s has, and those that wait for it join then. */
  const join = (pod: Pod) => {
    const { broker } = pod;
    if (!broker || broker.isJoined) return;
    if (broker.parent !== undefined && !isJoined(at.get(broker.parent))) return;
    soon(joinMs, pod, () => {
      if (pod.broker !== broker) return;
      broker.isJoined = true;
      for (const rank of tree.childrenOf(pod.rank)) {
        const child = pods[rank];
        if (child?.broker?.parent === pod.address) join(child);
      }
      enterRun();
    });
  };
  /** The leader's quorum is the whole instance. Who joins later runs at once. */
  const enterRun = () => {
    if (!pods[0]?.broker?.isRunning && !(pods.length === size && pods.every(isJoined))) return;
    for (const pod of pods) {
      if (!pod.broker?.isJoined || pod.broker.isRunning) continue;
      pod.broker.isRunning = true;
      pod.feed(brokerState('run'));
    }
  };
  /** The brokers below have lost their way to the leader, and do not notice. */
  const lose = (pod: Pod) => {
    if (pod.broker) pod.broker.isJoined = false;
    for (const rank of tree.childrenOf(pod.rank)) {
      const child = pods[rank];
      if (child?.broker?.isJoined && child.broker.parent === pod.address) lose(child);
    }
  };
  const endBroker = (pod: Pod) => {
    lose(pod);
    pod.broker = undefined;
    cluster.set(pod.address, pod.isGone ? 'swallows' : 'refuses');
  };
  const exitBroker = (pod: Pod, ms: number, code: number, signal?: NodeJS.Signals) => {
    const { broker } = pod;
    soon(ms, pod, () => {
      if (!broker || pod.broker !== broker) return;
      endBroker(pod);
      pod.feed(exitedWith(code, signal));
    });
  };

  // Parent links.

  const breakLinks = (pod: Pod) => {
    for (const child of pod.children) {
      child.parent = undefined;
      soon(roundTripMs, child, () => child.feed(linkBroken));
    }
    pod.children.clear();
  };
  const closeLink = (pod: Pod) => {
    pod.attempt++;
    pod.parent?.children.delete(pod);
    pod.parent = undefined;
  };
  const send = (message: Announcement, child: Pod) =>
    soon(roundTripMs, child, () => child.feed({ kind: 'announced', message }));
  const openLink = (pod: Pod, host: string) => {
    attempts++;
    const attempt = ++pod.attempt;
    const parent = at.get(host);
    const isReachable = parent && !parent.isGone && !parent.exit;
    soon(isReachable ? roundTripMs : unreachableMs, pod, () => {
      if (attempt !== pod.attempt) return;
      if (!parent || !isReachable) return pod.feed(noLink('unreachable'));
      if (!parent.announced || parent.isGone) return pod.feed(noLink('unavailable'));
      parent.children.add(pod);
      pod.parent = parent;
      pod.feed(linkOpened(parent.broker?.incarnation ?? ''));
      for (const message of parent.announced) send(message, pod);
    });
  };

  const find = async (pod: Pod, { known, foreign }: Command & { do: 'find parent' }) => {
    const search = new AbortController();
    pod.search = search;
    const { rank, keyMemory } = pod;
    const target = { host: nameOf(tree.parentOf(rank) as number), port };
    const options = {
      nameservers: [],
      family: 4,
      size,
      rank,
      known,
      foreign,
      keyMemory,
      network: cluster,
      clock: time,
      random,
    } as const;
    const found = await awaitParent(target, { ...options, signal: search.signal }).catch(() => undefined);
    if (!found || search.signal.aborted) return;
    questions[rank] = (questions[rank] ?? 0) + found.questions;
    pod.feed({ kind: 'parent found', address: { host: found.host, port }, facts: {} });
  };

  const execute = (pod: Pod, command: Exclude<Command, { do: 'exit' }>): void | Promise<void> => {
    switch (command.do) {
      case 'find parent':
        return find(pod, command);
      case 'stop finding':
        return pod.search.abort();
      case 'start broker': {
        pod.isCancelled = false;
        soon(startBrokerMs * (0.5 + random()), pod, () => {
          if (pod.isCancelled) return pod.feed({ kind: 'broker not started', outcome: undefined });
          pod.broker = {
            incarnation: `${pod.rank}-${++brokersStarted}`,
            parent: command.parent?.host,
            isJoined: false,
            isRunning: false,
          };
          cluster.set(pod.address, 'listens');
          pod.feed(started);
          pod.feed(brokerState('join'));
          join(pod);
        });
        return;
      }
      case 'cancel start':
        pod.isCancelled = true;
        return;
      case 'kill broker':
        return exitBroker(pod, killMs, 137, 'SIGKILL');
      case 'open link':
        return openLink(pod, command.host);
      case 'close link':
        return closeLink(pod);
      case 'accept child links':
        breakLinks(pod);
        pod.announced = [];
        return;
      case 'break child links':
        pod.announced = undefined;
        return breakLinks(pod);
      case 'announce':
        pod.announced?.push(command.message);
        for (const child of pod.children) send(command.message, child);
        return;
      case 'start services':
      case 'enter await-parent':
      case 'watch mounts':
      case 'log':
        return;
      default:
        throw new Error(`nothing here can ${command.do}`);
    }
  };

  const machineOf = (rank: number): Machine<unknown> => {
    const parentRank = tree.parentOf(rank);
    if (parentRank === undefined) return leader({ grace: 25 }) as Machine<unknown>;
    const host = nameOf(parentRank);
    const parent = { rank: parentRank, host, target: { host, port } };
    return follower(
      { grace: 25, http: { host: '0.0.0.0', port: 8051 } },
      { size, parent },
    ) as Machine<unknown>;
  };

  const startPod = (rank: number, recordAfterMs = 0) => {
    const address = `10.${at.size >> 16}.${(at.size >> 8) & 255}.${at.size & 255}`;
    const pod: Pod = {
      rank,
      address,
      feed: (event) => {
        if (!pod.isGone) machine.feed(event);
      },
      isGone: false,
      broker: undefined,
      isCancelled: false,
      announced: undefined,
      children: new Set(),
      parent: undefined,
      attempt: 0,
      search: new AbortController(),
      keyMemory: {},
      exit: undefined,
    };
    pods[rank] = pod;
    at.set(address, pod);
    cluster.set(address, 'refuses');
    const publish = () => cluster.publish(nameOf(rank), address);
    if (recordAfterMs > 0) time.after(recordAfterMs, publish);
    else publish();
    const machine = runMachine(machineOf(rank), (command) => execute(pod, command), {
      now: time.now,
      after: (ms, act) => soon(ms, pod, act),
      random,
    });
    void machine.exited.then((exit) => {
      pod.exit = exit;
      pod.search.abort();
      closeLink(pod);
    });
  };

  return {
    time,
    cluster,
    startPod,
    killPod: (rank) => {
      const pod = pods[rank] as Pod;
      pod.isGone = true;
      pod.search.abort();
      endBroker(pod);
      closeLink(pod);
      breakLinks(pod);
    },
    endProgram: (code) => {
      for (const pod of pods) {
        const levels = tree.maxLevel - tree.levelOf(pod.rank);
        exitBroker(pod, shutDownLevelMs * levels, pod.rank === 0 ? code : 0);
      }
    },
    running: () => pods.filter(({ broker }) => broker?.isJoined && broker.isRunning).length,
    links: () => ({ open: pods.filter(({ parent }) => parent).length, attempts }),
    questionsOf: (rank) => questions[rank] ?? 0,
    exitOf: (rank) => pods[rank]?.exit,
  };
}
