/** The leader's queue: every job starts as soon as there are nodes enough, on the lowest ranks that are online. */
import { constants } from 'node:os';
import { FluxError } from '../../../../agent/flux/errors.ts';
import type { JsonObject } from '../../../../agent/flux/payload.ts';
import type { BrokerConfig } from '../broker-options.ts';
import type { Asked, Router } from '../message-router.ts';
import { type Job, record } from './job.ts';
import { serveJobRecords } from './job-records.ts';
import { readJobspec, unwrap } from './jobspec-reader.ts';
import { serveJobJournal } from './journals.ts';
import { serveKvs } from './kvs-service.ts';
import { place } from './resource-service.ts';
import type { Task, TaskEvent } from './tasks.ts';

export interface Jobs {
  /** Starts what has waited for nodes. */
  readonly schedule: () => void;
  readonly allocated: () => readonly number[];
  /** Cancels what there is and waits until it has ended, `withinMs` at most. */
  readonly cancelAll: (withinMs: number) => Promise<void>;
}

const { EINVAL, ENOENT, EPERM, SIGTERM } = { ...constants.errno, ...constants.signals };

export function serveJobs(config: BrokerConfig, router: Router, online: ReadonlySet<number>): Jobs {
  const jobs = new Map<bigint, Job>();
  const started = Date.now();
  const running = () => [...jobs.values()].filter(({ state }) => state === 'run');
  const isActive = ({ state }: Job) => state !== 'inactive';
  let onEnd = () => undefined as unknown;

  const note = (job: Job, path: string, name: string, context?: JsonObject) => {
    const event = record(job, path, name, context);
    for (const watcher of watchersOf(job)) if (watcher.payload.path === path) watcher.respond({ event });
    if (path.startsWith('guest.')) return kvs.changed(job);
    records.changed();
    journal.add(job, event);
  };
  const watchersOf = ({ id }: Job) =>
    router.kept('job-info.eventlog-watch').filter(({ payload }) => BigInt(payload.id as number) === id);

  const submit = ({ payload, respond, fail }: Asked) => {
    const J = String(payload.J);
    let given: object;
    try {
      given = unwrap(J);
    } catch (error) {
      return fail(EINVAL, (error as Error).message);
    }
    try {
      // RFC 19: milliseconds, then a sequence number.
      const id = (BigInt(Date.now() - started) << 24n) | BigInt(jobs.size);
      const userid = process.getuid?.() ?? 0;
      const urgency = Number(payload.urgency);
      const job: Job = {
        ...readJobspec(given),
        id,
        userid,
        urgency,
        J,
        logs: new Map(),
        times: {},
        state: 'depend',
      };
      jobs.set(id, job);
      respond({ id });
      note(job, 'eventlog', 'submit', { userid, urgency, flags: 0, version: 1 });
      note(job, 'eventlog', 'validate');
      note(job, 'eventlog', 'depend');
      note(job, 'eventlog', 'priority', { priority: urgency });
      schedule();
    } catch (error) {
      fail(EPERM, (error as Error).message);
    }
  };

  const schedule = () => {
    // An urgency of 0 holds a job (flux-submit(1)).
    for (const job of jobs.values()) if (job.state === 'sched' && job.urgency > 0) allocate(job);
  };

  const allocate = (job: Job) => {
    const nodes = job.nodes ?? Math.min(job.tasks, online.size);
    if (nodes > config.size || job.tasks < nodes) return raise(job, 'alloc', 0, 'unsatisfiable request');
    const ranks = [...online].sort((a, b) => a - b).slice(0, nodes);
    if (ranks.length < nodes || nodes === 0) return;
    const placement = place(config, ranks, Math.ceil(job.tasks / nodes) * job.coresPerTask);
    job.placement = placement;
    note(job, 'eventlog', 'alloc', { annotations: { sched: { resource_summary: placement.summary } } });
    void execute(job, ranks);
  };

  const execute = async (job: Job, ranks: readonly number[]) => {
    const exec = (name: string, context?: JsonObject) => note(job, 'guest.exec.eventlog', name, context);
    const each = Math.ceil(job.tasks / ranks.length);
    exec('init');
    exec('starting');
    note(job, 'eventlog', 'start');
    exec('shell.init', { service: `shell-${job.id}`, 'leader-rank': ranks[0] ?? 0, size: ranks.length });
    note(job, 'guest.output', 'header', {
      version: 1,
      encoding: { stdout: 'UTF-8', stderr: 'UTF-8' },
      count: { stdout: job.tasks, stderr: job.tasks },
      options: {},
    });
    exec('shell.start', { taskmap: { version: 1, map: [[0, ranks.length, each, 1]] } });
    const tasks = Array.from({ length: job.tasks }, (_, rank) =>
      runTask(job, {
        job: job.id,
        rank,
        localRank: rank % each,
        size: job.tasks,
        nodes: ranks.length,
        argv: job.argv,
        cwd: job.cwd,
        env: job.env,
        nodeid: ranks[Math.floor(rank / each)] ?? 0,
      }),
    );
    job.status = Math.max(...(await Promise.all(tasks))) << 8;
    for (const rank of ranks.keys()) exec('shell-exit', { rank, wait_status: job.status });
    exec('complete', { status: job.status });
    exec('done');
    note(job, 'eventlog', 'finish', { status: job.status });
    note(job, 'eventlog', 'release', { ranks: 'all', final: true });
    note(job, 'eventlog', 'free');
    finish(job);
  };

  /** Resolves to the task's exit code. */
  const runTask = async (job: Job, { nodeid, ...task }: Task & { nodeid: number }): Promise<number> => {
    const rank = String(task.rank);
    const output = (context: JsonObject) => note(job, 'guest.output', 'data', context);
    let code = 0;
    try {
      for await (const answer of router.channel.stream('rexec.exec', task, { nodeid })) {
        const event = answer as TaskEvent;
        if ('data' in event) {
          for (const data of linesOf(event.data)) output({ stream: event.stream, rank, ...data });
        } else {
          code = event.code;
          for (const stream of ['stdout', 'stderr']) output({ stream, rank, eof: true });
          if (event.failure)
            raise(job, 'exec', 0, `task ${rank}: start failed: ${job.argv[0]}: ${event.failure}`);
          note(job, 'guest.exec.eventlog', 'shell.task-exit', describeExit(task, event));
        }
      }
    } catch (error) {
      if (!(error instanceof FluxError)) throw error;
      raise(job, 'node-failure', 0, `lost contact with the broker of rank ${nodeid}`);
      code = 128 + constants.signals.SIGKILL;
    }
    return code;
  };

  const finish = (job: Job) => {
    note(job, 'eventlog', 'clean');
    for (const { fail } of watchersOf(job)) fail(constants.errno.ENODATA);
    kvs.changed(job);
    onEnd();
  };

  const raise = (job: Job, type: string, severity: number, text: string) => {
    const { userid } = job;
    const wasRunning = job.state === 'run';
    if (severity === 0) job.exception ??= { type, severity, note: text };
    note(job, 'eventlog', 'exception', { type, severity, note: text, userid });
    if (severity !== 0) return;
    if (wasRunning) signal(job, SIGTERM);
    else if (!job.placement) finish(job);
  };

  const signal = (job: Job, signum: number) => {
    for (const nodeid of job.placement?.ranks ?? [])
      router.channel.rpc('rexec.kill', { job: job.id, signum }, { nodeid }).catch(() => undefined);
  };

  /** For a job that is active; the errnum for one that is not differs from service to service. */
  const forActive = (errnum: number, act: (job: Job, asked: Asked) => void) => (asked: Asked) => {
    const job = jobs.get(BigInt(asked.payload.id as number));
    if (!job) return asked.fail(ENOENT, 'unknown job id');
    if (!isActive(job)) return asked.fail(errnum, 'job is inactive');
    act(job, asked);
    asked.respond();
  };

  router.serve('job-ingest.submit', submit);
  router.serve(
    'job-manager.raise',
    forActive(ENOENT, (job, { payload: { type, severity, note: text } }) =>
      raise(job, String(type), Number(severity), String(text ?? '')),
    ),
  );
  router.serve(
    'job-manager.kill',
    forActive(EINVAL, (job, { payload }) => signal(job, Number(payload.signum))),
  );
  router.serve('job-manager.queue-status', ({ respond }) => respond({ enable: true, start: true }));
  const records = serveJobRecords(router, jobs);
  const journal = serveJobJournal(router, jobs);
  const kvs = serveKvs(router, jobs);
  return {
    schedule,
    allocated: () => [...new Set(running().flatMap(({ placement }) => placement?.ranks ?? []))],
    cancelAll: async (withinMs) => {
      const ended = new Promise<void>((resolve) => {
        onEnd = () => [...jobs.values()].some(isActive) || resolve();
        onEnd();
      });
      for (const job of jobs.values()) if (isActive(job)) raise(job, 'cancel', 0, '');
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, withinMs).unref())]);
    },
  };
}

/** RFC 24: line by line, as text where it is UTF-8, else in base64. Bytes are characters here until they are known to be text. */
function linesOf(base64: string): JsonObject[] {
  const lines =
    Buffer.from(base64, 'base64')
      .toString('latin1')
      .match(/[^\n]*\n|[^\n]+/g) ?? [];
  return lines.map((line) => {
    const bytes = Buffer.from(line, 'latin1');
    const data = bytes.toString();
    return Buffer.from(data).equals(bytes)
      ? { data }
      : { encoding: 'base64', data: bytes.toString('base64') };
  });
}

const describeExit = (
  { rank, localRank }: Task,
  { code, pid }: Extract<TaskEvent, { code: number }>,
): JsonObject => ({
  localid: localRank,
  rank,
  state: 'Exited',
  pid,
  wait_status: code << 8,
  signaled: 0,
  exitcode: code,
});
