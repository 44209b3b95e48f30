/** What a real Flux has answered, read with this codec and these services. See test/support/flux/record-flux.ts for how it was taken. */
import { describe, expect, it } from 'vitest';
import { wantedEvents } from '../../agent/demand/queue-state.ts';
import { createChannel } from '../../agent/flux/channel.ts';
import type { FluxClient } from '../../agent/flux/client.ts';
import { MessageType } from '../../agent/flux/constants.ts';
import { Errno, FluxError } from '../../agent/flux/errors.ts';
import { decodeMessage, encodeMessage, type Message, type Request } from '../../agent/flux/flux-message.ts';
import { decodeJson } from '../../agent/flux/payload.ts';
import { getAttr } from '../../agent/flux/services/attr.ts';
import { type JournalEntry, watchJournal } from '../../agent/flux/services/eventlog/job-journal.ts';
import { getGroup, watchGroup } from '../../agent/flux/services/groups.ts';
import { lookup, parseEventlog, watchEventlog } from '../../agent/flux/services/job-info.ts';
import { submitJob } from '../../agent/flux/services/job-ingest.ts';
import { getJob, getJobStats, listJobs } from '../../agent/flux/services/job-list.ts';
import {
  cancelJob,
  getHousekeeping,
  getQueueStatus,
  killJob,
} from '../../agent/flux/services/job-manager.ts';
import { getModuleOf } from '../../agent/flux/services/modules.ts';
import { getHealth, watchHealth } from '../../agent/flux/services/overlay.ts';
import { reloadConfig } from '../../agent/flux/services/reload-config.ts';
import {
  countResources,
  getResourceStatus,
  getScheduledResources,
  readAllocation,
  watchResourceEvents,
} from '../../agent/flux/services/resource.ts';
import { getState } from '../../agent/flux/services/state-machine.ts';
import { type Recording, readRecordings } from '../support/flux/recording.ts';

const recordings = readRecordings();
const closed = new FluxError(Errno.connectionReset);
const messagesOf = (texts: readonly string[]) =>
  texts.map((text) => decodeMessage(Buffer.from(text, 'base64')));

/** A client that is answered as the broker answered whoever asked this in the recording. */
function replay(topic: string, name: string): FluxClient & { readonly id: bigint } {
  const exchange = recordings.find((one) => one.topic === topic)?.exchanges.find((one) => one.name === name);
  if (!exchange) throw new Error(`There is no recording of ${topic}: ${name}`);
  const [recorded] = messagesOf(exchange.requests) as Request[];
  const channel = createChannel({
    send: (message) => {
      const { nodeid: _, ...request } = message as Request;
      if (request.topic !== topic) return;
      expect(request).toMatchObject({ flags: recorded?.flags, topic, matchtag: recorded?.matchtag });
      // A jobspec is signed anew each time.
      if (topic !== 'job-ingest.submit' && recorded?.payload)
        expect(decodeJson(request.payload)).toMatchObject(decodeJson(recorded.payload) as object);
      queueMicrotask(() => {
        messagesOf(exchange.responses).forEach(channel.receive);
        channel.fail(closed);
      });
    },
    pause: () => undefined,
    resume: () => undefined,
  });
  const { id = 0 } = decodeJson(recorded?.payload) as { id?: number };
  return {
    ...channel,
    closed: new Promise(() => undefined),
    close: () => undefined,
    [Symbol.dispose]: () => undefined,
    id: BigInt(id),
  };
}

/** All items of a stream, and also of one that the recording did not wait for the end of. */
const collect = async <Item>(stream: AsyncIterable<Item>): Promise<Item[]> => {
  const items: Item[] = [];
  try {
    for await (const item of stream) items.push(item);
  } catch (error) {
    if (error !== closed) throw error;
  }
  return items;
};

const distinct = <Item>(items: readonly Item[]): Item[] => items.filter((item, at) => item !== items[at - 1]);

describe('bytes of a real Flux', () => {
  const all = recordings.flatMap(({ topic, exchanges }) =>
    exchanges.map(({ name, requests, responses }): [string, string[]] => [
      `${topic} ${name}`,
      [...requests, ...responses],
    ]),
  );

  it('are there', () => {
    expect(all.length).toBeGreaterThan(60);
    for (const { taken } of recordings)
      expect(taken).toMatchObject({ flux: expect.stringMatching(/^0\.\d+/), size: 3 });
  });

  it.each(all)('are read, and written the same: %s', (_, texts) => {
    for (const text of texts) {
      const bytes = Buffer.from(text, 'base64');
      const message = decodeMessage(bytes);
      expect(message.type).not.toBe(MessageType.control);
      // Flux sends an event's route, which RFC 3 does not want, to clients.
      expect(encodeMessage(message)).toEqual(bytes);
    }
  });

  it('are answers to what was asked: topic, matchtag, and the streaming flag', () => {
    for (const { topic, exchanges } of recordings) {
      for (const { requests, responses } of exchanges) {
        const [asked] = messagesOf(requests) as Request[];
        for (const message of messagesOf(responses) as Message[]) {
          if (message.type === MessageType.event) continue;
          expect(message).toMatchObject({
            topic,
            type: MessageType.response,
            flags: asked?.flags,
            matchtag: asked?.matchtag,
          });
        }
      }
    }
  });
});

describe('answers of a real Flux', () => {
  it('to state-machine.get', async () => {
    expect(await getState(replay('state-machine.get', 'of a follower'))).toEqual({
      state: 'run',
      duration: expect.any(Number),
    });
    expect(await getState(replay('state-machine.get', 'of a follower that has no parent yet'))).toMatchObject(
      { state: 'join' },
    );
    await expect(getState(replay('state-machine.get', 'of a rank that is lost'))).rejects.toMatchObject({
      errno: 'EHOSTUNREACH',
    });
  });

  it.each(['the life of the leader', 'the life of a follower'])(
    'to state-machine.monitor: %s',
    async (name) => {
      const { exchanges } = recordings.find(({ topic }) => topic === 'state-machine.monitor') as Recording;
      const told = messagesOf(exchanges.find((exchange) => exchange.name === name)?.responses ?? []);
      expect(told.map(({ payload }) => decodeJson(payload))).toEqual(
        [3, 4, 5, 6, 7, 8, 9].map((state) => ({ state })),
      );
    },
  );

  it('to overlay.health', async () => {
    const topic = 'overlay.health';
    expect(await getHealth(replay(topic, 'complete'))).toMatchObject({
      rank: 0,
      status: 'full',
      children: [{ rank: 1, status: 'full' }],
    });
    expect(await getHealth(replay(topic, 'with a rank that is lost'))).toMatchObject({
      rank: 1,
      status: 'degraded',
      children: [{ rank: 2, status: 'lost', error: 'lost connection' }],
    });
    const changes = await collect(
      watchHealth(replay(topic, 'a child comes late, is killed, comes back and leaves')),
    );
    expect(distinct(changes.map(({ status }) => status))).toEqual([
      'partial',
      'full',
      'degraded',
      'full',
      'partial',
    ]);
    await expect(getHealth(replay(topic, 'of a rank that is not there'))).rejects.toMatchObject({
      errno: 'EHOSTUNREACH',
    });
    await expect(getHealth(replay(topic, 'of a follower that has no parent yet'))).rejects.toMatchObject({
      errno: 'EAGAIN',
      message: 'overlay.health: Upstream Flux broker is offline. Try again later.',
    });
  });

  it('to attr.get', async () => {
    expect(await getAttr(replay('attr.get', 'a known one'), 'size')).toBe('3');
    expect(await getAttr(replay('attr.get', 'a known one of another rank'), 'rank')).toBe('2');
    expect(await getAttr(replay('attr.get', 'an unknown one'), 'no.such.attribute')).toBeUndefined();
    await expect(replay('attr.get', 'nameless').rpc('attr.get', {})).rejects.toMatchObject({
      errno: 'EPROTO',
    });
  });

  it('to groups.get', async () => {
    expect(await getGroup(replay('groups.get', 'brokers that are online'), 'broker.online')).toEqual([
      0, 1, 2,
    ]);
    expect(await getGroup(replay('groups.get', 'an unknown one'), 'no.such.group')).toEqual([]);
    const coming = watchGroup(replay('groups.get', 'brokers that are online, as they come'), 'broker.online');
    expect(await collect(coming)).toEqual([
      [0, 1],
      [0, 1, 2],
    ]);
    await expect(
      getGroup(replay('groups.get', 'asked of a follower'), 'broker.online'),
    ).rejects.toMatchObject({
      errno: 'EPROTO',
      message: 'groups.get: this RPC is only available on rank 0',
    });
  });

  it('to resource.status and resource.sched-status', async () => {
    const status = await getResourceStatus(replay('resource.status', 'all online'));
    expect(status).toMatchObject({ online: [0, 1, 2], offline: [], exclude: [], torpid: [], drain: {} });
    const { all, down, allocated } = await getScheduledResources(
      replay('resource.sched-status', 'with a running job'),
    );
    expect([all, down, allocated, status.R].map(countResources)).toEqual([
      { nodes: 3, cores: 6, gpus: 0 },
      { nodes: 0, cores: 0, gpus: 0 },
      { nodes: 1, cores: 1, gpus: 0 },
      { nodes: 3, cores: 6, gpus: 0 },
    ]);
  });

  it('to job-ingest.submit', async () => {
    const topic = 'job-ingest.submit';
    expect(await submitJob(replay(topic, 'that runs'), {})).toBeGreaterThan(0n);
    await expect(submitJob(replay(topic, 'that is no jobspec'), {})).rejects.toMatchObject({
      errno: 'EPERM',
      message: expect.stringMatching(/^job-ingest\.submit: Missing key \(\w+\)$/),
    });
    await expect(submitJob(replay(topic, 'unsigned'), {})).rejects.toMatchObject({
      errno: 'EINVAL',
      message: 'job-ingest.submit: could not unwrap jobspec: Invalid argument',
    });
  });

  it('to job-list', async () => {
    expect(await listJobs(replay('job-list.list', 'no jobs yet'), { maxEntries: 0 })).toEqual([]);
    const jobs = await listJobs(replay('job-list.list', 'jobs of all kinds'), { maxEntries: 0 });
    expect(jobs.map(({ name, state, result }) => [name, state, result]).reverse()).toEqual([
      ['sh', 'inactive', 'completed'],
      ['false', 'inactive', 'failed'],
      ['no-such-program', 'inactive', 'failed'],
      ['true', 'inactive', 'failed'],
      ['sleep', 'inactive', 'failed'],
      ['sleep', 'inactive', 'canceled'],
    ]);
    const running = replay('job-list.list-id', 'of a running job');
    expect(await getJob(running, running.id)).toMatchObject({
      id: running.id,
      state: 'run',
      nodelist: 'mc-0',
      ranks: '0',
    });
    await expect(getJob(replay('job-list.list-id', 'of a job that there is not'), 5n)).rejects.toMatchObject({
      errno: 'ENOENT',
    });
    expect(await getJobStats(replay('job-list.job-stats', 'jobs of all kinds'))).toMatchObject({
      job_states: { inactive: 6, total: 6 },
      successful: 1,
      failed: 4,
      canceled: 1,
    });
  });

  it('to job-manager', async () => {
    const cancelled = replay('job-manager.raise', 'cancel');
    await cancelJob(cancelled, cancelled.id, 'enough');
    await expect(cancelJob(replay('job-manager.raise', 'of a job that there is not'), 5n)).rejects.toThrow(
      'unknown job id',
    );
    const killed = replay('job-manager.kill', 'by a signal');
    await killJob(killed, killed.id, 10);
    const inactive = replay('job-manager.kill', 'of a job that has ended');
    await expect(killJob(inactive, inactive.id, 15)).rejects.toThrow('job is inactive');
  });

  it('to job-manager.events-journal', async () => {
    const topic = 'job-manager.events-journal';
    const options = { allow: wantedEvents };
    const live = await collect(
      watchJournal(replay(topic, 'of a job, from its beginning to its end'), options),
    );
    const [first, ...entries] = live as ['present', ...JournalEntry[]];
    expect(first).toBe('present');
    expect(entries.map(({ events }) => events.map(({ name }) => name))).toEqual(
      ['submit', 'depend', 'priority', 'alloc', 'free', 'clean'].map((name) => [name]),
    );
    expect(new Set(entries.map(({ id }) => id)).size).toBe(1);
    expect(entries.filter(({ jobspec }) => jobspec).map(({ events }) => events[0]?.name)).toEqual(['submit']);
    expect(entries.filter(({ R }) => R).map(({ events }) => events[0]?.name)).toEqual(['alloc']);
    const [running, last] = await collect(watchJournal(replay(topic, 'with a running job'), options));
    expect(running).toMatchObject({
      events: ['submit', 'depend', 'priority', 'alloc'].map((name) => ({ name })),
      // Without its environment.
      jobspec: { version: 1, attributes: { system: { duration: 0, cwd: '/tmp' } } },
      R: { version: 1, execution: { R_lite: [{ rank: '0', children: { core: '0' } }] } },
    });
    expect(JSON.stringify(running, (_, value) => (typeof value === 'bigint' ? 0 : value))).not.toMatch(
      /environment/,
    );
    expect(last).toBe('present');
    expect(readAllocation((running as JournalEntry).R)).toEqual({
      R_lite: [{ rank: [0], children: { core: [0] } }],
      expiration: 0,
    });
  });

  it('to resource.journal', async () => {
    const stream = watchResourceEvents(replay('resource.journal', 'cancelled at once'));
    const batches = await collect(stream);
    expect(batches.slice(0, 2)).toEqual([['restart'], ['resource-define']]);
    expect(batches.flat().slice(2)).toEqual(['online', 'online', 'online']);
    expect(batches.at(-1)).toEqual([]);
  });

  it('to what the demand depends on beside the jobs', async () => {
    expect(await getHousekeeping(replay('job-manager.stats-get', 'with a running job'))).toEqual([]);
    expect(await getQueueStatus(replay('job-manager.queue-status', 'of the anonymous queue'))).toEqual({
      enable: true,
      start: true,
    });
    expect(await getModuleOf(replay('module.list', 'on the leader'), 'sched')).toBe('sched-simple');
    expect(await getModuleOf(replay('module.list', 'on the leader'), 'no-such-service')).toBeUndefined();
  });

  it('to job-info', async () => {
    const topic = 'job-info.eventlog-watch';
    const watch = async (name: string, path = 'eventlog') => {
      const client = replay(topic, name);
      return collect(watchEventlog(client, client.id, path, { waits: path.startsWith('guest.') }));
    };
    const life = [
      'submit',
      'validate',
      'depend',
      'priority',
      'alloc',
      'start',
      'finish',
      'release',
      'free',
      'clean',
    ];
    expect((await watch('of a job, to its end')).map(({ name }) => name)).toEqual(life);
    expect(
      (await watch('of a job that was cancelled')).find(({ name }) => name === 'exception')?.context,
    ).toMatchObject({
      type: 'cancel',
      severity: 0,
      note: 'enough',
    });
    const output = await watch('output of a job', 'guest.output');
    expect(output.map(({ context }) => context)).toContainEqual({
      stream: 'stdout',
      rank: '0',
      data: 'out\n',
    });
    expect(output.map(({ context }) => context)).toContainEqual({
      stream: 'stdout',
      rank: '0',
      encoding: 'base64',
      data: '/w==',
    });
    const ended = replay('job-info.lookup', 'of a job that has ended');
    const { R, eventlog, jobspec } = await lookup(ended, ended.id, ['jobspec', 'R', 'eventlog']);
    expect([R, jobspec].map((text) => JSON.parse(text).version)).toEqual([1, 1]);
    expect(parseEventlog(eventlog).map(({ name }) => name)).toEqual(life);
    await expect(
      lookup(replay('job-info.lookup', 'of a key that there is not'), ended.id, ['no-such-key']),
    ).rejects.toThrow('job-info.lookup: no-such-key: key not found');
  });

  it('to config.reload', async () => {
    await reloadConfig(replay('config.reload', 'unchanged'));
    await expect(reloadConfig(replay('config.reload', 'broken'))).rejects.toThrow(
      /^config\.reload: Config file error: .*broker\.toml:\d+: /,
    );
  });

  it('to a service or a method that there is not', async () => {
    const topics = ['no-such-service.get', 'attr.no-such-method'];
    const names = ['an unknown service', 'an unknown method of a known service'];
    const texts = await Promise.all(
      topics.map((topic, at) =>
        replay(topic, names[at] ?? '')
          .rpc(topic, {})
          .catch((error) => [error.errno, error.message]),
      ),
    );
    expect(texts).toEqual([
      ['ENOSYS', 'no-such-service.get: No service matching no-such-service.get is registered'],
      ['ENOSYS', "attr.no-such-method: Unknown service method 'attr.no-such-method'"],
    ]);
  });

  it('to a subscription: its acknowledgement, then events in their order', () => {
    const { exchanges } = recordings.find(({ topic }) => topic === 'event.subscribe') as Recording;
    const [acknowledged, one, next] = messagesOf(exchanges[0]?.responses ?? []);
    expect(acknowledged).toMatchObject({ type: MessageType.response, errnum: 0 });
    expect(one).toMatchObject({ type: MessageType.event, topic: 'heartbeat.pulse' });
    expect(next).toMatchObject({ sequence: one?.type === MessageType.event ? one.sequence + 1 : 0 });
  });
});
