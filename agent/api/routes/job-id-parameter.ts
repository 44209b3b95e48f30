import type { JobId } from '../../flux/job-id.ts';
import { idOf } from '../../jobs/list.ts';
import type { PathParameter } from '../http/route.ts';

/** `{id}` in the path of a job. A text that is no job id is answered as the id of no job. */
export const jobId: PathParameter<JobId> = {
  description: 'a job id: F58, decimal or hexadecimal',
  read: idOf,
};
