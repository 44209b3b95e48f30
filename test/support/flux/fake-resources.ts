/** A broker with nodes that can be drained, and allocations on them: what the resource module and the scheduler answer (flux-core 0.88). */
import { formatIdset, parseIdset } from '../../../agent/cluster/idset.ts';
import type { Request } from '../../../agent/flux/flux-message.ts';
import { decodeJson } from '../../../agent/flux/payload.ts';
import { type FakeBroker, type FakeConnection, startFakeBroker } from './fake-broker.ts';

export interface FakeResources extends FakeBroker {
  /** Reasons by rank. */
  readonly drained: Map<number, string>;
  /** Ranks with jobs. */
  readonly busy: Set<number>;
  /** Drains and undrains that were asked for, such as `drain 2-3`. */
  readonly asked: string[];
  readonly topics: string[];
  /** Topics that are refused, with this errno. */
  readonly refused: Map<string, number>;
  /** What happens before a request with such a topic is served, once. */
  readonly before: Map<string, () => void>;
  /** Tells the streams of an event of resources, or of jobs. */
  readonly tell: (what: 'resource.journal' | 'job-list.job-stats', event?: string) => void;
}

export async function startFakeResources(size: number): Promise<FakeResources> {
  const drained = new Map<number, string>();
  const busy = new Set<number>();
  const asked: string[] = [];
  const topics: string[] = [];
  const refused = new Map<string, number>();
  const before = new Map<string, () => void>();
  const streams: [Request, FakeConnection][] = [];
  const R = (ranks: Iterable<number>) => ({
    version: 1,
    execution: {
      R_lite: [...ranks].map((rank) => ({ rank: String(rank), children: { core: '0-1' } })),
      nodelist: [],
    },
  });
  const all = Array.from({ length: size }, (_, rank) => rank);
  const zero = { depend: 0, priority: 0, sched: 0, run: 0, cleanup: 0, inactive: 0, total: 0 };
  const stats = { job_states: zero, successful: 0, failed: 0, canceled: 0, timeout: 0 };

  const change = (name: 'drain' | 'undrain', act: (rank: number, reason: string, mode: string) => void) => {
    return (payload: Record<string, string>) => {
      const { targets = '', reason = '', mode = '' } = payload;
      asked.push(`${name} ${targets}`);
      for (const rank of parseIdset(targets)) act(rank, reason, mode);
      tell('resource.journal', name);
      return {};
    };
  };
  const services: Record<string, (payload: Record<string, string>) => object> = {
    'resource.status': () => ({
      R: R(all),
      drain: Object.fromEntries(
        [...drained].map(([rank, reason]) => [String(rank), { timestamp: 1, reason }]),
      ),
      online: formatIdset(all),
      offline: '',
      exclude: '',
      torpid: '',
    }),
    'resource.drain': change('drain', (rank, reason, mode) => {
      if (mode === 'overwrite' || !drained.get(rank)) drained.set(rank, reason);
    }),
    'resource.undrain': change('undrain', (rank) => void drained.delete(rank)),
    'sched.resource-status': () => ({ all: R(all), down: R(drained.keys()), allocated: R(busy) }),
  };
  const firsts: Record<string, object> = { 'resource.journal': { events: [] }, 'job-list.job-stats': stats };
  const tell: FakeResources['tell'] = (what, event) => {
    const payload = what === 'resource.journal' ? { events: [{ name: event ?? 'drain' }] } : stats;
    for (const [request, connection] of streams)
      if (request.topic === what && !connection.socket.destroyed)
        connection.respond(request, payload as never);
  };
  const broker = await startFakeBroker({
    onRequest: (request, connection) => {
      const { topic = '', payload } = request;
      topics.push(topic);
      const content: Record<string, string> = payload ? (decodeJson(payload) as never) : {};
      before.get(topic)?.();
      before.delete(topic);
      const errnum = refused.get(topic);
      if (errnum !== undefined) return connection.respond(request, undefined, errnum);
      if (firsts[topic]) {
        streams.push([request, connection]);
        return connection.respond(request, firsts[topic] as never);
      }
      const serve = services[topic];
      if (serve) connection.respond(request, serve(content) as never);
    },
  });
  return { ...broker, drained, busy, asked, topics, refused, before, tell };
}
