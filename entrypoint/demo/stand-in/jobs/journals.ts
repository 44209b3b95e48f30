/**
 * What happens to jobs and nodes, as streams: job-manager.events-journal (flux-core src/modules/job-manager/journal.c) and resource.journal
 * (src/modules/resource/reslog.c); and what else says how the queue is served.
 */
import { formatHostlist } from '../../../../agent/cluster/hostlist.ts';
import { formatIdset } from '../../../../agent/cluster/idset.ts';
import type { JsonObject } from '../../../../agent/flux/payload.ts';
import type { BrokerConfig } from '../broker-options.ts';
import type { Asked, Router } from '../message-router.ts';
import { type Job, lookUp } from './job.ts';
import { place, resourceSet } from './resource-service.ts';

/** FLUX_JOBID_ANY as a signed number: the end of the backlog. */
const anyJob = -1;

export interface JobJournal {
  /** An entry of the job's own event log. */
  readonly add: (job: Job, line: string) => void;
}

export function serveJobJournal(router: Router, jobs: ReadonlyMap<bigint, Job>): JobJournal {
  const topic = 'job-manager.events-journal';
  let events = 0;
  const wants = ({ payload }: Asked, { name }: { name: string }) => {
    const allow = payload.allow as object | undefined;
    return !allow || Object.hasOwn(allow, name);
  };
  const recordOf = (job: Job, key: 'jobspec' | 'R') => {
    const text = lookUp(job, key);
    return text === undefined ? {} : { [key]: JSON.parse(text) };
  };
  router.serve(topic, (asked) => {
    for (const job of jobs.values()) {
      if (job.state === 'inactive') continue;
      const lines = (job.logs.get('eventlog') ?? []).map((line) => JSON.parse(line));
      const wanted = lines.filter((event) => wants(asked, event));
      asked.respond({ id: job.id, events: wanted, ...recordOf(job, 'jobspec'), ...recordOf(job, 'R') });
    }
    asked.respond({ id: anyJob, events: [] });
    asked.keep();
  });
  router.serve(`${topic}-cancel`, router.cancel);
  router.serve('job-manager.stats-get', ({ respond }) => {
    const active = [...jobs.values()].filter(({ state }) => state !== 'inactive').length;
    respond({
      journal: { listeners: router.kept(topic).length, events },
      active_jobs: active,
      inactive_jobs: jobs.size - active,
      max_jobid: [...jobs.keys()].reduce((most, id) => (id > most ? id : most), 0n),
      // flux-config-job-manager(5): none is configured.
      housekeeping: { running: {}, config: { 'release-after': -1, command: '' } },
    });
  });
  return {
    add: (job, line) => {
      events++;
      const event = JSON.parse(line);
      const more =
        event.name === 'submit' ? recordOf(job, 'jobspec') : event.name === 'alloc' ? recordOf(job, 'R') : {};
      for (const asked of router.kept(topic))
        if (wants(asked, event)) asked.respond({ id: job.id, events: [event], ...more });
    },
  };
}

export interface ResourceJournal {
  /** Brokers have come or gone. */
  readonly changed: () => void;
}

export function serveResourceJournal(
  config: BrokerConfig,
  router: Router,
  online: ReadonlySet<number>,
): ResourceJournal {
  const topic = 'resource.journal';
  const ranks = config.hosts.map((_, rank) => rank);
  const past: JsonObject[] = [];
  let known = new Set<number>();
  const add = (name: string, context: JsonObject): JsonObject => {
    const event = { timestamp: Date.now() / 1000, name, context };
    past.push(event);
    return event;
  };
  add('restart', { ranks: formatIdset(ranks), online: '', nodelist: formatHostlist(config.hosts) });
  const defined = add('resource-define', { method: 'configuration' });
  router.serve(topic, (asked) => {
    const [first, , ...rest] = past;
    asked.respond({ events: first ? [first] : [] });
    asked.respond({ events: [defined], R: resourceSet(place(config, ranks, config.cores)) });
    if (rest.length > 0) asked.respond({ events: rest });
    asked.respond({ events: [] });
    asked.keep();
  });
  router.serve(`${topic}-cancel`, router.cancel);
  return {
    changed: () => {
      const [came, went] = [
        [...online].filter((rank) => !known.has(rank)),
        [...known].filter((rank) => !online.has(rank)),
      ];
      known = new Set(online);
      for (const [name, changed] of [['online', came] as const, ['offline', went] as const]) {
        if (changed.length === 0) continue;
        const event = add(name, { idset: formatIdset(changed) });
        for (const { respond } of router.kept(topic)) respond({ events: [event] });
      }
    },
  };
}

/** One module, which is everything: the order of the queue is that of a scheduler that passes over what finds no room. */
export const serveModules = (router: Router): void =>
  router.serve('module.list', ({ respond }) =>
    respond({
      mods: [
        {
          name: 'stand-in',
          path: 'builtin',
          idle: 0,
          status: 0,
          services: ['sched'],
          sendqueue: 0,
          recvqueue: 0,
        },
      ],
    }),
  );
