import { describe, expect, it } from 'vitest';
import { formatJobId } from '../../agent/flux/job-id.ts';
import { listPage } from '../../agent/jobs/list.ts';
import { fakeBroker } from '../support/agent/fake-api.ts';

/** A job-list service with jobs of its own: constraints, order and max_entries as RFC 43 has them. */
function jobList(pending: number, running: number, inactive: number) {
  const states = { depend: 2, priority: 4, sched: 8, run: 16, cleanup: 32, inactive: 64 };
  type Fake = { id: number; state: number; t_run?: number; t_inactive?: number; name: string };
  const jobs: Fake[] = [
    ...Array.from({ length: pending }, (_, n) => ({ id: n + 1, state: 8, name: `p${n}` })),
    // Two start at every moment, three end at every moment.
    ...Array.from({ length: running }, (_, n) => ({
      id: 100_000 + n,
      state: 16,
      t_run: 500 - Math.floor(n / 2),
      name: `r${n}`,
    })),
    ...Array.from({ length: inactive }, (_, n) => ({
      id: 200_000 + n,
      state: 64,
      t_inactive: 90_000.5 - Math.floor(n / 3),
      name: `i${n}`,
    })),
  ];
  const most: number[] = [];
  const list = ({
    max_entries,
    attrs,
    constraint,
  }: {
    max_entries: number;
    attrs: string[];
    constraint: { and: Record<string, string[]>[] };
  }) => {
    most.push(max_entries);
    const found = jobs.filter((job) =>
      constraint.and.every((condition) => {
        if (condition.states)
          return condition.states.some((name) => states[name as keyof typeof states] === job.state);
        if (condition.t_run) return (job.t_run ?? 0) <= Number(condition.t_run[0]?.slice(2));
        if (condition.t_inactive) return (job.t_inactive ?? 0) <= Number(condition.t_inactive[0]?.slice(2));
        if (condition.name) return job.name === condition.name[0];
        return false;
      }),
    );
    const shown = (job: Fake) => Object.entries(job).filter(([name]) => ['id', ...attrs].includes(name));
    const page = found.slice(0, max_entries);
    return { jobs: attrs[0] === 'all' ? page : page.map((job) => Object.fromEntries(shown(job))) };
  };
  const one = ({ id }: { id: number | bigint }) => ({ job: jobs.find((job) => job.id === Number(id)) });
  const rpc = { 'job-list.list': list as never, 'job-list.list-id': one as never };
  return { broker: fakeBroker({ rpc }), jobs, most };
}

describe('pages', () => {
  it('say of each running job how long it has run until now', async () => {
    const t_run = Date.now() / 1000 - 100;
    const list = () => ({ jobs: [1, 2, 3].map((id) => ({ id, state: 16, t_run })) });
    const client = await fakeBroker({ rpc: { 'job-list.list': list } }).client();
    const { jobs } = await listPage(client, { limit: 3, state: ['RUNNING'] });
    expect(jobs.map(({ runtime = 0 }) => Math.round(runtime / 100))).toEqual([1, 1, 1]);
  });

  it.each([1, 2, 7, 50])('of %i show every job once, in the order of the list', async (limit) => {
    const { broker, jobs } = jobList(11, 9, 23);
    const client = await broker.client();
    const seen: string[] = [];
    for (let cursor: string | undefined, pages = 0; pages < 100; pages++) {
      const page = await listPage(client, { limit, cursor });
      seen.push(...page.jobs.map(({ id }) => id));
      cursor = page.next;
      if (cursor === undefined) break;
    }
    expect(seen).toEqual(jobs.map(({ id }) => formatJobId(BigInt(id))));
  });

  it('hold a job once that starts and ends while they are read, in its last state', async () => {
    let asked = 0;
    const states = [8, 16, 64];
    const list = () => ({ jobs: [{ id: 1, state: states[asked++], t_run: 1, t_inactive: 2 }] });
    const client = await fakeBroker({ rpc: { 'job-list.list': list as never } }).client();
    const { jobs } = await listPage(client, { limit: 50 });
    expect(jobs.map(({ state }) => state)).toEqual(['INACTIVE']);
  });

  it('ask for no more than they hold, however far back they are', async () => {
    const { broker, most } = jobList(0, 0, 10_000);
    const client = await broker.client();
    let cursor: string | undefined;
    for (let pages = 0; pages < 50; pages++) cursor = (await listPage(client, { limit: 100, cursor })).next;
    expect(Math.max(...most)).toBeLessThanOrEqual(103);
  });

  it('hold what a search finds in names, and an id wherever it is', async () => {
    const { broker } = jobList(3, 3, 3000);
    const client = await broker.client();
    const { jobs } = await listPage(client, { search: 'I299', limit: 1000 });
    expect(jobs.map(({ name }) => name)).toEqual([
      'i299',
      ...Array.from({ length: 10 }, (_, n) => `i299${n}`),
    ]);
    const [first] = (await listPage(client, { search: 'i2999' })).jobs;
    expect((await listPage(client, { search: first?.id })).jobs).toEqual([first]);
  });

  it('have whole jobs where a search has found them, and read of the others only what it compares', async () => {
    const { broker } = jobList(300, 300, 300);
    const client = await broker.client();
    const { jobs } = await listPage(client, { search: '299' });
    expect(jobs.map(({ name, state }) => [name, state])).toEqual([
      ['p299', 'SCHED'],
      ['r299', 'RUN'],
      ['i299', 'INACTIVE'],
    ]);
    const lists = broker.asked.filter(([topic]) => topic === 'job-list.list');
    expect(lists.map(([, { attrs }]) => attrs)).toEqual([
      ['name', 'queue', 'nodelist'],
      ['name', 'queue', 'nodelist', 't_run'],
      ['name', 'queue', 'nodelist', 't_inactive'],
    ]);
  });

  it('go on where a search has stopped in the middle', async () => {
    const { broker } = jobList(0, 0, 100);
    const client = await broker.client();
    const first = await listPage(client, { search: 'i', limit: 40 });
    const second = await listPage(client, { search: 'i', limit: 100, cursor: first.next });
    expect([...first.jobs, ...second.jobs].map(({ name }) => name)).toEqual(
      Array.from({ length: 100 }, (_, n) => `i${n}`),
    );
  });
});
