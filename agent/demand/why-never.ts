/** Why one job can never run, asked of Flux for one answer: it needs no watch over the queue. */
import type { FluxClient } from '../flux/client.ts';
import type { JobId } from '../flux/job-id.ts';
import { lookupJobspec } from '../flux/services/job-info.ts';
import { getResourceStatus } from '../flux/services/resource.ts';
import { needOf } from './job-need.ts';
import { nodesOf } from './queue-nodes.ts';
import { whyUnfit } from './unfit.ts';

const options = { timeoutMs: 2000 };

/** Undefined for a job that fits, and where Flux does not answer: the job itself is known all the same. */
export async function whyNever(client: FluxClient, id: JobId): Promise<string | undefined> {
  try {
    const [jobspec, status] = await Promise.all([
      lookupJobspec(client, id, options),
      getResourceStatus(client, options),
    ]);
    return whyUnfit(needOf(JSON.parse(jobspec)), nodesOf(status));
  } catch {
    return undefined;
  }
}
