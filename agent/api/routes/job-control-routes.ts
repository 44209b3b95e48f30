/** Changes of a job over HTTP: cancel, signal, urgency. */
import { constants } from 'node:os';
import { detailOf, FluxError, isOutage } from '../../flux/errors.ts';
import { formatJobId, type JobId } from '../../flux/job-id.ts';
import { cancelJob, killJob, setUrgency } from '../../flux/services/job-manager.ts';
import { type Reply, type Route, route } from '../http/route.ts';
import { HttpProblem } from '../problem.ts';
import { cancelBody, messageAnswer, signalBody, urgencyBody } from './api-schemas.ts';
import { jobId } from './job-id-parameter.ts';

/** Has Flux change a job. Throws an HttpProblem where Flux refuses: 404 for an unknown job, else 409 for the job's state. */
async function change(id: JobId, what: string, act: () => Promise<void>, done: string): Promise<Reply> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof FluxError) || isOutage(error)) throw error;
    const unknown = /unknown|no such|not found/i.test(error.message);
    const Message = unknown ? `There is no job ${formatJobId(id)}.` : `${what}: ${detailOf(error)}.`;
    throw new HttpProblem(unknown ? 'not-found' : 'conflict', Message, {
      members: { Message, id: formatJobId(id) },
    });
  }
  return { json: { Message: done, id: formatJobId(id) } };
}

/** The number of a signal by its name, with or without `SIG`. */
function signalNumber(signal: string | number): number {
  if (typeof signal === 'number') return signal;
  const numbers: Readonly<Record<string, number>> = constants.signals;
  const number = numbers[signal.startsWith('SIG') ? signal : `SIG${signal}`];
  if (number === undefined) throw new HttpProblem('invalid', `There is no signal ${signal}.`);
  return number;
}

export const jobControlRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/jobs/{id}/cancel',
    params: { id: jobId },
    role: 'write',
    tag: 'Jobs',
    summary: 'Cancel a job',
    change: 'cancel a job',
    body: cancelBody,
    bodyOptional: true,
    answer: messageAnswer,
    handle: async ({ params: { id }, body, context, note }) => {
      note({ note: body?.note });
      const client = await context.broker.client();
      const act = () => cancelJob(client, id, body?.note);
      return change(id, 'Job cannot be cancelled', act, 'Job is requested to cancel.');
    },
  }),
  route({
    method: 'POST',
    path: '/v1/jobs/{id}/signal',
    params: { id: jobId },
    role: 'write',
    tag: 'Jobs',
    summary: 'Send a signal to all tasks of a job',
    change: 'signal a job',
    body: signalBody,
    answer: messageAnswer,
    handle: async ({ params: { id }, body, context, note }) => {
      note({ signal: body.signal });
      const client = await context.broker.client();
      const number = signalNumber(body.signal);
      const act = () => killJob(client, id, number);
      return change(id, 'Job cannot be signalled', act, `Signal ${number} is on its way.`);
    },
  }),
  route({
    method: 'PUT',
    path: '/v1/jobs/{id}/urgency',
    params: { id: jobId },
    role: 'write',
    tag: 'Jobs',
    summary: 'Change the urgency of a job that waits',
    change: 'change the urgency of a job',
    body: urgencyBody,
    answer: messageAnswer,
    handle: async ({ params: { id }, body, context, note }) => {
      note({ urgency: body.urgency });
      const client = await context.broker.client();
      const act = () => setUrgency(client, id, body.urgency);
      return change(id, 'The urgency cannot be changed', act, `The urgency is ${body.urgency}.`);
    },
  }),
];
