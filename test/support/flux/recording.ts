/** What a broker answers, byte for byte: taken from an instance that goes through a whole life, whichever Flux it is. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { wantedEvents } from '../../../agent/demand/queue-state.ts';
import { Flag, MessageType, NodeId } from '../../../agent/flux/constants.ts';
import { Errno } from '../../../agent/flux/errors.ts';
import { decodeMessage, encodeMessage, type Message } from '../../../agent/flux/flux-message.ts';
import { createDeframer, frame } from '../../../agent/flux/framing.ts';
import { decodeJson, encodeJson, type JsonObject } from '../../../agent/flux/payload.ts';
import { signWithNone } from '../../../agent/flux/services/job-ingest.ts';
import type { Flux } from '../project/flux-pod.ts';
import { type BrokerProcess, createFluxInstance } from './flux-instance.ts';

/** One conversation on a connection of its own. The bytes are encoded messages, without framing, in base64. */
export interface Exchange {
  readonly name: string;
  /** The rank of the broker that was connected to. */
  readonly rank: number;
  readonly requests: string[];
  readonly responses: string[];
}

/** All exchanges of one topic. */
export interface Recording {
  readonly topic: string;
  readonly taken: { readonly flux: string; readonly size: number; readonly topo: string };
  readonly exchanges: Exchange[];
}

interface Ask {
  readonly name: string;
  readonly topic: string;
  readonly payload?: JsonObject;
  readonly nodeid?: number;
  readonly streaming?: boolean;
  /** Whether all is there; the first response unless given, and the end of the stream in any case. */
  readonly enough?: (messages: readonly Message[]) => boolean;
  /** The topic of a request that is sent after the first response, with the matchtag of the first request. */
  readonly cancel?: string;
  /** Whether it goes on for as long as the instance lives. Anything else has an answer soon. */
  readonly lifelong?: boolean;
}

const directory = join(import.meta.dirname, '../../flux/recordings');

/** The recordings of a real Flux that are kept with the tests. */
export const readRecordings = (): Recording[] =>
  readdirSync(directory).map((file) => JSON.parse(readFileSync(join(directory, file), 'utf8')));

export function writeRecordings(recordings: readonly Recording[]): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (const recording of recordings)
    writeFileSync(join(directory, `${recording.topic}.json`), `${JSON.stringify(recording, null, 2)}\n`);
}

const matchtag = 1;

const patienceMs = { soon: 60_000, lifelong: 240_000 };

/** Asks one broker. Resolves when there is enough, or the broker closes; rejects when neither happens in time. */
function converse(
  broker: BrokerProcess,
  rank: number,
  ask: Ask,
): Promise<Exchange & { messages: Message[] }> {
  const { topic, payload, nodeid = NodeId.any, streaming = false, cancel } = ask;
  const enough = ask.enough ?? (() => !streaming);
  const exchange = { name: ask.name, rank, requests: [] as string[], responses: [] as string[] };
  const messages: Message[] = [];
  const deframe = createDeframer();
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path: broker.socket });
    const late = setTimeout(
      () => {
        const answers = messages.map((message) => JSON.stringify(contentOf(message))).join('\n');
        const asked = `${topic} (${ask.name}) of rank ${rank} has not ended`;
        socket.destroy(new Error(`${asked}; answers so far:\n${answers}\nthe broker:\n${broker.log()}`));
      },
      patienceMs[ask.lifelong ? 'lifelong' : 'soon'],
    );
    const send = (sent: Partial<Message> & { topic: string; flags: number; matchtag: number }) => {
      const request = encodeMessage({
        type: MessageType.request,
        userid: 0xffffffff,
        rolemask: 0,
        nodeid,
        routes: [],
        ...sent,
      } as Message);
      exchange.requests.push(request.toString('base64'));
      socket.write(frame(request));
    };
    let admitted = false;
    socket.on('data', (bytes) => {
      const rest = admitted ? bytes : bytes.subarray(1);
      admitted = true;
      for (const response of deframe(rest)) {
        const message = decodeMessage(response);
        exchange.responses.push(response.toString('base64'));
        messages.push(message);
        if (cancel !== undefined && messages.length === 1)
          send({ topic: cancel, flags: Flag.noResponse, matchtag: 0, payload: encodeJson({ matchtag }) });
        const last = message.type === MessageType.response && message.errnum !== 0;
        if (last || enough(messages)) socket.end();
      }
    });
    socket.once('error', reject);
    socket.once('close', () => {
      clearTimeout(late);
      resolve({ ...exchange, messages });
    });
    send({
      topic,
      flags: streaming ? Flag.streaming : 0,
      matchtag,
      ...(payload && { payload: encodeJson(payload) }),
    });
  });
}

const jobspec = (command: string[], nodes = 1): JsonObject => ({
  version: 1,
  resources: [
    {
      type: 'node',
      count: nodes,
      with: [{ type: 'slot', count: 1, label: 'task', with: [{ type: 'core', count: 1 }] }],
    },
  ],
  tasks: [{ command, slot: 'task', count: { per_slot: 1 } }],
  attributes: { system: { duration: 0, cwd: '/tmp', environment: { PATH: '/usr/bin:/bin' } } },
});

const submission = (spec: JsonObject): JsonObject => ({
  J: signWithNone(JSON.stringify(spec), process.getuid?.() ?? 0),
  urgency: 16,
  flags: 0,
});

const size = 3;
/** A chain: what happens at rank 2 is seen by rank 0 through rank 1. */
const topo = 'kary:1';

/** Starts an instance of `flux`, asks it everything, ends it. */
export async function recordFlux(flux: Flux): Promise<Recording[]> {
  await using instance = await createFluxInstance(flux, { size, quorum: 2, topo });
  const recordings = new Map<string, Recording>();
  const taken = { flux: versionOf(flux), size, topo };
  const keep = (topic: string, { name, rank, requests, responses }: Exchange) => {
    const recording = recordings.get(topic) ?? { topic, taken, exchanges: [] };
    recordings.set(topic, recording);
    recording.exchanges.push({ name, rank, requests, responses });
  };
  const open: Promise<void>[] = [];
  const begin = (broker: BrokerProcess, rank: number, ask: Ask): (() => readonly Message[]) => {
    const messages: Message[] = [];
    const enough = (all: readonly Message[]) => {
      messages.splice(0, messages.length, ...all);
      return ask.enough?.(all) ?? false;
    };
    open.push(converse(broker, rank, { ...ask, enough }).then((exchange) => keep(ask.topic, exchange)));
    return () => messages;
  };

  /** A broker that is not online yet answers little, and puts off the rest (EAGAIN): asked until it does. */
  const life = async (name: string, rank: number, broker: BrokerProcess): Promise<void> => {
    const topic = 'state-machine.monitor';
    const exchange = await converse(broker, rank, { name, topic, streaming: true, lifelong: true });
    if (exchange.messages.map(contentOf)[0] === constants.errno.EAGAIN) return life(name, rank, broker);
    keep(topic, exchange);
  };

  const waiting = await instance.start(1);
  const early = async (topic: string, payload?: JsonObject, streaming = false) =>
    keep(
      topic,
      await converse(waiting, 1, {
        name: 'of a follower that has no parent yet',
        topic,
        ...(payload && { payload }),
        streaming,
      }),
    );
  await waiting.says(/->join/);
  await early('state-machine.get');
  await early('state-machine.monitor', undefined, true);
  await early('attr.get', { name: 'rank' });
  await early('overlay.health');
  waiting.signal('SIGTERM');
  await waiting.ends();

  const leader = await instance.start(0);
  const lives = [life('the life of the leader', 0, leader)];
  await leader.says(/->init/);
  const healths = begin(leader, 0, {
    name: 'a child comes late, is killed, comes back and leaves',
    topic: 'overlay.health',
    streaming: true,
    lifelong: true,
    enough: (all) => statuses(all).join(' ').endsWith('degraded full partial'),
  });
  const until = async (what: string, holds: () => boolean) => {
    const end = Date.now() + 30_000;
    while (!holds()) {
      if (Date.now() > end) throw new Error(`Waited for ${what}\n${leader.log()}`);
      await delay(10);
    }
  };
  await until('its health', () => healths().length > 0);
  const follower = await instance.start(1);
  lives.push(life('the life of a follower', 1, follower));
  await follower.says(/->run/);
  await leader.says(/->run/);

  const ask = async (
    name: string,
    topic: string,
    payload?: JsonObject,
    more: Partial<Ask> = {},
    rank = 0,
  ) => {
    const broker = rank === 0 ? leader : follower;
    const exchange = await converse(broker, rank, { name, topic, ...(payload && { payload }), ...more });
    keep(topic, exchange);
    return exchange.messages.map(contentOf);
  };
  const health = (status: string) => until(status, () => statuses(healths()).at(-1) === status);

  await ask('of the leader', 'state-machine.get');
  await ask('of a follower', 'state-machine.get', undefined, {}, 1);
  await ask('of a follower, by its rank', 'state-machine.get', undefined, { nodeid: 1 });
  await ask('of the leader, from a follower by rank', 'state-machine.get', undefined, { nodeid: 0 }, 1);
  await ask('without the rank that is late', 'overlay.health');
  await ask('without the rank that is late, at its parent', 'overlay.health', undefined, { nodeid: 1 });
  await ask('of a rank that is not there', 'overlay.health', undefined, { nodeid: 2 });
  await ask('of a rank that there is not', 'overlay.health', undefined, { nodeid: 9 });
  const online = begin(leader, 0, {
    name: 'brokers that are online, as they come',
    topic: 'groups.get',
    payload: { name: 'broker.online' },
    streaming: true,
    enough: (all) => /0-2/.test(JSON.stringify(contentOf(all.at(-1)))),
  });
  await until('who is online', () => online().length > 0);
  let last = await instance.start(2);
  await last.says(/->run/);
  await health('full');
  await open.pop();

  await ask('complete', 'overlay.health');
  await ask('of a rank two hops away', 'overlay.health', undefined, { nodeid: 2 });
  await ask('a known one', 'attr.get', { name: 'size' });
  await ask('a known one of another rank', 'attr.get', { name: 'rank' }, { nodeid: 2 });
  await ask('an unknown one', 'attr.get', { name: 'no.such.attribute' });
  await ask('nameless', 'attr.get', {});
  await ask('brokers that are online', 'groups.get', { name: 'broker.online' });
  await ask('an unknown one', 'groups.get', { name: 'no.such.group' });
  await ask('asked of a follower', 'groups.get', { name: 'broker.online' }, {}, 1);
  await ask('all online', 'resource.status');
  await ask('nothing allocated', 'resource.sched-status');
  await ask('on the leader', 'broker.ping', { seq: 1, pad: 'xxx' });
  await ask('over two hops', 'broker.ping', { seq: 1 }, { nodeid: 2 });
  await ask('an unknown service', 'no-such-service.get', {});
  await ask('an unknown service, from a follower', 'no-such-service.get', {}, {}, 1);
  await ask('an unknown service, by rank', 'no-such-service.get', {}, { nodeid: 1 });
  await ask('an unknown method of a known service', 'attr.no-such-method', {});
  await ask(
    'two pulses',
    'event.subscribe',
    { topic: 'heartbeat.pulse' },
    { enough: (all) => all.length >= 3 },
  );

  await ask('no jobs yet', 'job-list.list', { max_entries: 0, attrs: ['all'], since: 0 });
  await ask('no jobs yet', 'job-list.job-stats', {});
  const journal = 'job-manager.events-journal';
  const allow = Object.fromEntries(wantedEvents.map((name) => [name, 1]));
  const events = begin(leader, 0, {
    name: 'of a job, from its beginning to its end',
    topic: journal,
    payload: { full: false, allow },
    streaming: true,
    enough: (all) => /"clean"/.test(JSON.stringify(contentOf(all.at(-1)))),
  });
  await until('the journal', () => isPresent(events()));
  const command = ['sh', '-c', 'echo out; echo err >&2; printf "\\377"'];
  const [quick] = await ask('that runs', 'job-ingest.submit', submission(jobspec(command)));
  const { id } = quick as { id: number };
  const watch = (
    name: string,
    path: string,
    of: number | bigint,
    more: Partial<Ask> & { flags?: number } = {},
  ) =>
    ask(
      name,
      'job-info.eventlog-watch',
      { id: of, path, flags: more.flags ?? (path.startsWith('guest.') ? 1 : 0) },
      { streaming: true, ...more },
    );
  await watch('of a job, to its end', 'eventlog', id);
  await open.pop();
  await watch('output of a job', 'guest.output', id);
  await watch('execution of a job', 'guest.exec.eventlog', id);
  const [failing] = await ask(
    'that fails on all nodes',
    'job-ingest.submit',
    submission(jobspec(['false'], 3)),
  );
  await watch('of a job that fails', 'eventlog', (failing as { id: number }).id);
  const [unknown] = await ask(
    'of a program that there is not',
    'job-ingest.submit',
    submission(jobspec(['no-such-program'])),
  );
  await watch('of a job whose program there is not', 'eventlog', (unknown as { id: number }).id);
  const [large] = await ask(
    'that asks for too many nodes',
    'job-ingest.submit',
    submission(jobspec(['true'], 4)),
  );
  await watch('of a job that is too large', 'eventlog', (large as { id: number }).id);
  await watch('output of a job that never runs', 'guest.output', (large as { id: number }).id);
  await watch(
    'output of a job that never runs, not waited for',
    'guest.output',
    (large as { id: number }).id,
    { flags: 0 },
  );
  const { attributes: _, ...incomplete } = jobspec(['true']);
  await ask('that is no jobspec', 'job-ingest.submit', submission(incomplete));
  await ask('unsigned', 'job-ingest.submit', { J: 'nonsense', urgency: 16, flags: 0 });
  /** A job's `start` is its shell's. Before its task runs a signal is lost, and a cancelled job may get a second exception (flux-core src/shell). */
  const writes = (of: number) =>
    converse(leader, 0, {
      name: 'output of a running job, until it writes',
      topic: 'job-info.eventlog-watch',
      payload: { id: of, path: 'guest.output', flags: 1 },
      streaming: true,
      enough: (all) => all.some((message) => /"data/.test(JSON.stringify(contentOf(message)))),
    });
  const lasting = ['sh', '-c', 'echo up; exec sleep 1000'];
  const [long] = await ask('that runs for long', 'job-ingest.submit', submission(jobspec(lasting)));
  const { id: running } = long as { id: number };
  await watch('of a running job, cancelled after the first entry', 'eventlog', running, {
    cancel: 'job-info.eventlog-watch-cancel',
  });
  await watch('of a running job, until it runs', 'eventlog', running, {
    enough: (all) => all.some((message) => /"start/.test(JSON.stringify(contentOf(message)))),
  });
  await ask('with a running job', 'job-list.job-stats', {});
  await ask('with a running job', journal, { full: false, allow }, { streaming: true, enough: isPresent });
  await ask('with a running job', 'job-manager.stats-get', {});
  await ask('of the anonymous queue', 'job-manager.queue-status', {});
  await ask('on the leader', 'module.list', {});
  await ask(
    'cancelled at once',
    'resource.journal',
    {},
    { streaming: true, cancel: 'resource.journal-cancel' },
  );
  await ask('with a running job', 'resource.sched-status');
  await ask('only running jobs', 'job-list.list', {
    max_entries: 0,
    attrs: ['all'],
    since: 0,
    constraint: { states: ['running'] },
  });
  await ask('of a running job', 'job-list.list-id', { id: running, attrs: ['all'] });
  await writes(running);
  await ask('by a signal', 'job-manager.kill', { id: running, signum: 10 });
  await watch('of a job that a signal ended', 'eventlog', running);
  const [next] = await ask('that is cancelled', 'job-ingest.submit', submission(jobspec(lasting)));
  const { id: cancelled } = next as { id: number };
  await watch('of a job that will be cancelled', 'eventlog', cancelled, {
    enough: (all) => all.some((message) => /"start/.test(JSON.stringify(contentOf(message)))),
  });
  await writes(cancelled);
  await ask('cancel', 'job-manager.raise', { id: cancelled, type: 'cancel', severity: 0, note: 'enough' });
  await watch('of a job that was cancelled', 'eventlog', cancelled);
  await ask('of a job that has ended', 'job-manager.raise', { id: cancelled, type: 'cancel', severity: 0 });
  await ask('of a job that there is not', 'job-manager.raise', { id: 5, type: 'cancel', severity: 0 });
  await ask('of a job that has ended', 'job-manager.kill', { id: cancelled, signum: 15 });
  await ask(
    'of a job that there is not',
    'job-info.eventlog-watch',
    { id: 5, path: 'eventlog', flags: 0 },
    { streaming: true },
  );
  await ask('jobs of all kinds', 'job-list.list', { max_entries: 0, attrs: ['all'], since: 0 });
  await ask('of a job that has ended', 'job-list.list-id', { id, attrs: ['all'] });
  await ask('of a job that there is not', 'job-list.list-id', { id: 5, attrs: ['all'] });
  await ask('jobs of all kinds', 'job-list.job-stats', {});
  await ask('of a job that has ended', 'job-info.lookup', {
    id,
    keys: ['jobspec', 'R', 'eventlog'],
    flags: 0,
  });
  await ask('of a key that there is not', 'job-info.lookup', { id, keys: ['no-such-key'], flags: 0 });
  await ask('of a job that there is not', 'job-info.lookup', { id: 5, keys: ['R'], flags: 0 });

  last.signal('SIGKILL');
  await health('degraded');
  await ask('with a rank that is lost', 'overlay.health', undefined, { nodeid: 1 });
  await ask('of a rank that is lost', 'state-machine.get', undefined, { nodeid: 2 });
  await ask('with a rank that is lost', 'resource.status');
  last = await instance.start(2);
  await last.says(/->run/);
  await health('full');
  last.signal('SIGTERM');
  await health('partial');
  await ask('with a rank that has left', 'overlay.health', undefined, { nodeid: 1 });
  await last.ends();

  await ask('unchanged', 'config.reload', {});
  instance.configure(instance.toml.replace('[tbon]', '[tbon'));
  await ask('broken', 'config.reload', {});
  instance.configure(instance.toml);

  leader.signal('SIGTERM');
  await Promise.all([...open, ...lives]);
  await Promise.all([leader.ends(), follower.ends()]);
  return [...recordings.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1));
}

/** The end of the backlog of the journal of jobs (flux-core src/modules/job-manager/journal.c). */
const isPresent = (messages: readonly Message[]): boolean =>
  (contentOf(messages.at(-1)) as { id?: number } | undefined)?.id === -1;

function versionOf({ onHost, real }: Flux): string {
  const text = execFileSync(onHost, ['version'], { encoding: 'utf8' });
  return real ? (/libflux-core:\s*(\S+)/.exec(text)?.[1] ?? text) : text.trim();
}

/** A message's errnum or payload, as JSON or text. */
export function contentOf(message: Message | undefined): unknown {
  if (message?.type === MessageType.response && message.errnum !== 0) return message.errnum;
  return message && decodeJson(message.payload);
}

/** The distinct states of health that a stream brought, one after the other. */
const statuses = (messages: readonly Message[]): string[] =>
  messages
    .filter((message) => message.type === MessageType.response && message.errnum !== Errno.endOfStream)
    .map((message) => (contentOf(message) as { status: string }).status)
    .filter((status, index, all) => status !== all[index - 1]);
