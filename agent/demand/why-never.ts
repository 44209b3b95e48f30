/** Why one job can never run, asked of Flux when somebody looks at the job: it needs no watch over the queue. */
import type { FluxClient } from '../flux/client.ts';
import type { JobId } from '../flux/job-id.ts';
import { lookupJobspec } from '../flux/services/job-info.ts';
import { getResourceStatus } from '../flux/services/resource.ts';
import { needOf } from './job-need.ts';
import { nodesOf } from './queue-nodes.ts';
import { whyUnfit } from './unfit.ts';

const options = { timeoutMs: 2000 };

/** Undefined for a job that fits, and where Flux does not answer: who looks at a job is to see it all the same. */
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
