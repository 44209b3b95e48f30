import type { SimpleJob } from '../../agent/jobs/job-schemas.ts';
import type { JobsClient } from '../jobs/jobs-client.ts';

/** Jobs for the page of a demo: one of each kind that a person meets first. */
const sampleJobs = (size: number): readonly SimpleJob[] => [
  { name: 'hello', command: ['sh', '-c', 'echo "hello from task $FLUX_TASK_RANK"'], nodes: size },
  { name: 'fails', command: ['sh', '-c', 'echo "the input is missing" >&2; exit 3'] },
  {
    name: 'counts',
    command: ['sh', '-c', 'i=0; while [ $i -lt 600 ]; do i=$((i+1)); echo "step $i of 600"; sleep 1; done'],
  },
  // Held: a job that waited for nodes would keep all later ones waiting, as queues are first come, first served.
  { name: 'held', command: ['sh', '-c', 'echo "released"'], nodes: size, urgency: 0 },
];

/** Submits the sample jobs, in their order. */
export async function submitSampleJobs(jobs: JobsClient, size: number): Promise<void> {
  for (const job of sampleJobs(size)) await jobs.submit(job);
}
