/** Which jobs a constraint of job-list picks: RFC 43, flux-core src/modules/job-list/match.c. */
import { parseHostlist } from '../../../../agent/cluster/hostlist.ts';
import { type JobState, jobResults } from '../../../../agent/flux/services/job-list.ts';
import { describe, type Job } from './job.ts';

/** What `states` may name beside the states themselves. */
const virtualStates: Readonly<Record<string, readonly JobState[]>> = {
  pending: ['depend', 'priority', 'sched'],
  running: ['run', 'cleanup'],
  active: ['depend', 'priority', 'sched', 'run', 'cleanup'],
};

const comparisons: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '<=': (a, b) => a <= b,
  '>=': (a, b) => a >= b,
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
};

/** Throws an Error for an operator that job-list does not have. */
export function matches(job: Job, constraint: object): boolean {
  return Object.entries(constraint).every(([operator, values]) => holds(job, operator, values));
}

function holds(job: Job, operator: string, values: readonly unknown[]): boolean {
  const texts = values.map((value) => String(value).toLowerCase());
  switch (operator) {
    case 'and':
      return values.every((value) => matches(job, Object(value)));
    case 'or':
      return values.some((value) => matches(job, Object(value)));
    case 'not':
      return !values.every((value) => matches(job, Object(value)));
    case 'states':
      return texts.some((text) => text === job.state || virtualStates[text]?.includes(job.state));
    case 'results':
      return texts.some((text) => jobResults[text as keyof typeof jobResults] === describe(job).result);
    case 'name':
      return values.includes(job.name);
    case 'userid':
      return values.some((value) => value === job.userid || value === -1);
    case 'hostlist':
      return values.some((value) =>
        parseHostlist(String(value)).some((host) => job.placement?.hosts.includes(host)),
      );
    case 'queue':
      return false; // its jobs are in no queue
    default:
      return values.every((value) => happened(job, operator, String(value)));
  }
}

/** A time such as `t_run` against `<=1795661556.1`; one that has not come yet matches nothing. */
function happened(job: Job, operator: string, condition: string): boolean {
  const [, comparison = '', seconds] = /^([<>]=?)(.+)$/.exec(condition) ?? [];
  const compare = comparisons[comparison];
  if (!operator.startsWith('t_') || !compare) throw new Error(`unknown constraint operator: ${operator}`);
  const time = describe(job)[operator];
  return typeof time === 'number' && compare(time, Number(seconds));
}
