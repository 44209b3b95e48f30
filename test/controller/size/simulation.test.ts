/** Random workloads on virtual time: bursts, long tails, whole and shared nodes, pods that are slow or lost, a controller and a link that are lost. */
import { describe, expect, it } from 'vitest';
import { compare } from '../../support/size/compare.ts';
import { offlineBound } from '../../support/size/offline-bound.ts';
import { followDemand } from '../../support/size/policies.ts';
import { type Outcome, simulate } from '../../support/size/simulate.ts';
import { randomOf, randomWorkload, type Workload } from '../../support/size/workload.ts';

/** `npm run bench -- size` has a thousand. */
const seeds = Array.from({ length: 200 }, (_, seed) => seed);
const windowMs = 60_000;

const played = seeds.map((seed): { workload: Workload; outcome: Outcome } => {
  const workload = randomWorkload(seed);
  return { workload, outcome: simulate(workload, followDemand) };
});

/** As many jobs as are in the workload, each within two seconds of a step of a shrink. */
function submissionsBetween(seed: number, { jobs, max }: Workload) {
  const random = randomOf(seed);
  let left = jobs.length;
  return () => {
    const nodes = 1 + Math.floor(random() * max);
    const job = { id: jobs.length + left, submitMs: 0, nodes, cores: 0, runMs: 1000 + random() * 60_000 };
    return left-- > 0 ? { afterMs: random() ** 2 * 2000, job } : undefined;
  };
}

describe('a size that follows the demand', () => {
  it('takes away no node on which a job runs', () => {
    expect(played.map(({ outcome }) => outcome.killed)).toEqual(seeds.map(() => 0));
    const shrinks = played.flatMap(({ outcome: { sizes } }) =>
      sizes.filter(({ size }, index) => size < (sizes[index - 1]?.size ?? 0)),
    );
    expect(shrinks.length).toBeGreaterThan(seeds.length);
  });

  it('takes away no node on which a job runs, whatever is submitted in the very moments of a shrink', () => {
    let shrinks = 0;
    for (const seed of seeds) {
      const workload = randomWorkload(seed);
      const between = submissionsBetween(seed, workload);
      const { killed, sizes } = simulate(workload, followDemand, { between });
      expect(killed, `seed ${seed}`).toBe(0);
      shrinks += sizes.filter(({ size }, index) => size < (sizes[index - 1]?.size ?? 0)).length;
    }
    expect(shrinks).toBeGreaterThan(seeds.length);
  });

  it('lets every job run', () => {
    for (const { workload, outcome } of played) expect(outcome.startMs.size).toBe(workload.jobs.length);
  });

  it('stays within its bounds, and does not shrink within the window after it has grown', () => {
    for (const { workload, outcome } of played) {
      let grownMs = Number.NEGATIVE_INFINITY;
      for (const [index, { ms, size }] of outcome.sizes.entries()) {
        expect(size).toBeGreaterThanOrEqual(workload.min);
        expect(size).toBeLessThanOrEqual(workload.max);
        const before = outcome.sizes[index - 1]?.size ?? size;
        if (size > before) grownMs = ms;
        if (size < before) expect(ms - grownMs).toBeGreaterThanOrEqual(windowMs);
      }
    }
  });

  it('settles at the least size when all jobs have ended', () => {
    for (const { workload, outcome } of played) {
      const lastEnd = Math.max(
        ...workload.jobs.map(({ id, runMs }) => (outcome.startMs.get(id) ?? 0) + runMs),
      );
      expect(outcome.sizes.at(-1)?.size).toBe(workload.min);
      // The window, begun anew by a lost link of at most 5 min and by restarts, and a pod that is lost at the end and comes again.
      expect(outcome.endMs - lastEnd).toBeLessThan(windowMs * 4 + 600_000);
    }
  });

  it('is never better than the bound, where no pod is lost and no node is shared', () => {
    for (const seed of seeds.slice(0, 50)) {
      // A lost job waits behind others, which start the earlier for it; and so do those that fit into what is left of a node.
      const { jobs, ...rest } = randomWorkload(seed);
      const workload = { ...rest, crashes: [], jobs: jobs.map((job) => ({ ...job, nodes: job.nodes || 1 })) };
      const [outcome, bound] = [simulate(workload, followDemand), offlineBound(workload)];
      for (const [id, ms] of outcome.startMs)
        expect(ms).toBeGreaterThanOrEqual(bound.startMs.get(id) ?? Number.NaN);
      expect(outcome.nodeMs).toBeGreaterThanOrEqual(bound.nodeMsUntil(outcome.endMs));
    }
  });

  it('kills no job where others do, in less node time than the largest size, and with less waiting than by counting jobs', () => {
    const { figures } = compare(20);
    const of = (name: string) => figures.find((each) => each.name === name) ?? expect.unreachable(name);
    const own = of('follows the demand');
    expect(own).toMatchObject({ killed: 0, neverEnded: 0 });
    expect(own.moreNodeTime).toBeLessThan(of('always maxSize').moreNodeTime / 2);
    for (const name of ['HPA, active jobs', 'HPA, pending jobs']) {
      expect(of(name).killed).toBeGreaterThan(0);
      expect(own.meanWait).toBeLessThan(of(name).meanWait);
    }
  });
});
