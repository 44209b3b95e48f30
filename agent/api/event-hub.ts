/**
 * Events of the instance for all readers of /v1/events: jobs as their states change (the job manager's journal), and, every few
 * seconds, the resources in use. Flux is asked once for all readers, and not at all while there is none.
 */
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Demand } from '../demand/demand.ts';
import type { FluxClient } from '../flux/client.ts';
import { formatJobId } from '../flux/job-id.ts';
import { watchJournal } from '../flux/services/eventlog/job-journal.ts';
import { getJobStats } from '../flux/services/job-list.ts';
import { getResourceStatus } from '../flux/services/resource.ts';
import { readResources } from '../jobs/nodes.ts';
import type { Log } from '../log.ts';
import type { BrokerConnections } from './broker-connections.ts';
import { sse } from './http/streams.ts';

export interface EventHub {
  /** Begins to send to a reader, the samples of before first. Ends with its connection. */
  readonly join: (response: ServerResponse) => void;
  readonly close: () => void;
}

export interface HubTimes {
  /** Job events are gathered for as long, */
  readonly gatherMs: number;
  /** and for so long a reader, where that is more: a write to each of 500 readers takes 60 ms of CPU, which submissions wait for. */
  readonly gatherMsPerReader: number;
  readonly sampleMs: number;
}

const usualTimes: HubTimes = { gatherMs: 250, gatherMsPerReader: 1, sampleMs: 2000 };
/** A page that is opened anew shows this many samples of before. */
const mostSamples = 300;
/** Events in one message, some 60 KiB; the page loads its list again in any case. */
const mostEvents = 1000;
/** Bytes that a reader may leave unread. */
const mostPending = 256 * 1024;

interface JobEvent {
  readonly id: string;
  readonly name: string;
  readonly timestamp: number;
}

export interface Sample {
  readonly time: number;
  readonly states: Readonly<Record<string, number>>;
  readonly cores: { readonly all: number; readonly up: number; readonly allocated: number };
  readonly nodes: {
    readonly all: number;
    readonly online: number;
    readonly up: number;
    readonly allocated: number;
    /** Absent where the queue is not watched. */
    readonly wanted?: number;
  };
}

export function createEventHub(
  broker: BrokerConnections,
  log: Log,
  demand: () => Demand | undefined = () => undefined,
  times: HubTimes = usualTimes,
): EventHub {
  const readers = new Set<ServerResponse>();
  const samples: Sample[] = [];
  let working: AbortController | undefined;

  const send = (text: string) => {
    const bytes = Buffer.from(text);
    for (const reader of readers) {
      if (reader.writableLength > mostPending) reader.destroy();
      else reader.write(bytes);
    }
  };

  const gatherMs = () => Math.max(times.gatherMs, readers.size * times.gatherMsPerReader);

  const work = (signal: AbortSignal) => {
    const forever = async (what: string, act: () => Promise<void>) => {
      while (!signal.aborted) {
        await act().catch((error: unknown) => {
          if (!signal.aborted) log('debug', `The API's ${what} has ended`, { why: String(error) });
        });
        await delay(times.sampleMs, undefined, { signal }).catch(() => undefined);
      }
    };
    void forever('journal of jobs', () => followJournal(broker, signal, send, gatherMs));
    void forever('sampling', async () => {
      const sample = await takeSample(await broker.client(), demand());
      samples.push(sample);
      if (samples.length > mostSamples) samples.shift();
      send(sse('sample', sample));
    });
  };

  return {
    join: (response) => {
      readers.add(response);
      response.once('close', () => {
        readers.delete(response);
        if (readers.size > 0) return;
        working?.abort();
        working = undefined;
      });
      response.write(sse('history', samples));
      if (working) return;
      working = new AbortController();
      work(working.signal);
    },
    close: () => {
      working?.abort();
      // The event `end` tells the end of the API from a lost connection.
      for (const reader of readers) reader.end(sse('end', {}));
    },
  };
}

async function followJournal(
  broker: BrokerConnections,
  signal: AbortSignal,
  send: (text: string) => void,
  gatherMs: () => number,
): Promise<void> {
  using client = await broker.connect({ signal });
  let gathered: JobEvent[] = [];
  let more = 0;
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    timer = undefined;
    send(sse('jobs', { events: gathered, more }));
    gathered = [];
    more = 0;
  };
  let present = false;
  try {
    for await (const entry of watchJournal(client, { signal })) {
      if (entry === 'present') present = true;
      if (entry === 'present' || !present) continue;
      const { id, events } = entry;
      for (const { name, timestamp } of events) {
        if (gathered.length < mostEvents) gathered.push({ id: formatJobId(id), name, timestamp });
        else more++;
      }
      timer ??= setTimeout(flush, gatherMs());
    }
  } finally {
    clearTimeout(timer);
  }
}

async function takeSample(client: FluxClient, demand: Demand | undefined): Promise<Sample> {
  const [stats, { all, up, allocated }, { online }] = await Promise.all([
    getJobStats(client, { timeoutMs: 2000 }),
    readResources(client),
    getResourceStatus(client, { timeoutMs: 2000 }),
  ]);
  const { total: _, ...states } = stats.job_states;
  const wanted = demand && { wanted: demand.wanted };
  return {
    time: Date.now() / 1000,
    states,
    cores: { all: all.cores, up: up.cores, allocated: allocated.cores },
    nodes: { all: all.nodes, online: online.length, up: up.nodes, allocated: allocated.nodes, ...wanted },
  };
}
