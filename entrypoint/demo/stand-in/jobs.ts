import { formatHostlist } from '../../../agent/cluster/hostlist.ts';
import type { BrokerConfig } from './config.ts';
import type { Link, Message, Task } from './wire.ts';

interface Job {
  readonly said: Message[];
  readonly followers: Set<Link>;
  open: number;
  code: number;
}

/** The leader's queue: every job starts at once, on the lowest ranks that are online. */
export interface Jobs {
  readonly submit: (request: Extract<Message, { type: 'submit' }>, link: Link) => void;
  readonly attach: (job: number, link: Link) => void;
  /** A task's output or end. */
  readonly report: (message: Extract<Message, { type: 'output' | 'exit' }>) => void;
  readonly resourceTable: () => string;
}

export function createJobs(
  config: BrokerConfig,
  online: ReadonlySet<number>,
  send: (task: Task) => void,
): Jobs {
  const jobs = new Map<number, Job>();
  const tell = (job: Job, message: Message) => {
    for (const link of job.followers) link.send(message);
  };
  return {
    submit: ({ nodes: asked, tasks: wanted, argv, cwd, env }, link) => {
      const nodes = asked ?? Math.min(wanted ?? 1, online.size);
      const size = wanted ?? nodes;
      const ranks = [...online].sort((a, b) => a - b).slice(0, nodes);
      if (ranks.length < nodes || size < nodes) {
        const why = size < nodes ? 'node count must not be greater than task count' : 'unsatisfiable request';
        return link.send({ type: 'error', error: why });
      }
      const id = jobs.size + 1;
      jobs.set(id, { said: [], followers: new Set(), open: size, code: 0 });
      link.send({ type: 'value', value: `f${id}` });
      const each = Math.ceil(size / nodes);
      for (let task = 0; task < size; task++) {
        const rank = ranks[Math.floor(task / each)] ?? 0;
        send({ job: id, task, localTask: task % each, rank, size, nodes, argv, cwd, env });
      }
    },
    attach: (id, link) => {
      const job = jobs.get(id);
      if (!job) return link.send({ type: 'error', error: 'no such job' });
      for (const message of job.said) link.send(message);
      if (job.open === 0) link.send({ type: 'done', code: job.code });
      else job.followers.add(link);
    },
    report: (message) => {
      const job = jobs.get(message.job);
      if (!job) return;
      if (message.type === 'output') {
        job.said.push(message);
        return tell(job, message);
      }
      job.code = Math.max(job.code, message.code);
      job.open--;
      if (job.open === 0) tell(job, { type: 'done', code: job.code });
    },
    resourceTable: () => {
      const row = (state: string, ranks: readonly number[]) => {
        const hosts = formatHostlist(ranks.map((rank) => config.hosts[rank] ?? ''));
        const cells = [
          state.padStart(10),
          String(ranks.length).padStart(6),
          String(ranks.length * config.cores).padStart(6),
        ];
        return `${cells.join(' ')}     0 ${hosts}\n`;
      };
      const down = config.hosts.map((_, rank) => rank).filter((rank) => !online.has(rank));
      const head = '     STATE NNODES NCORES NGPUS NODELIST\n';
      return (
        head +
        row(
          'free',
          [...online].sort((a, b) => a - b),
        ) +
        row('allocated', []) +
        row('down', down)
      );
    },
  };
}
