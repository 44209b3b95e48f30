import { describe, expect, it } from 'vitest';
import { Errno, FluxError } from '../../agent/flux/errors.ts';
import { submitCopies } from '../../agent/jobs/copies.ts';
import { JobError } from '../../agent/jobs/job-error.ts';
import { jobspecOf } from '../../agent/jobs/jobspec.ts';
import { findJob, listPage } from '../../agent/jobs/list.ts';
import { ofNodes } from '../../agent/jobs/nodes.ts';
import { submit } from '../../agent/jobs/submit-job.ts';
import { fakeBroker } from '../support/agent/fake-api.ts';

const defaults = { environment: {}, directory: '/' };
const refusing = (topic: string, errnum: number, text = '') =>
  fakeBroker({
    rpc: {
      [topic]: () => {
        throw new FluxError(errnum, { text });
      },
    },
  }).client();

describe('what cannot be done with jobs is an error of its own kind, without any HTTP:', () => {
  it.each([
    ['an id that is none', () => refusing('-', 1).then((client) => findJob(client, 'no id')), 'not-found'],
    [
      'a job that does not exist',
      () => refusing('job-list.list-id', Errno.noEntry).then((client) => findJob(client, 'f12')),
      'not-found',
    ],
    [
      'a cursor that was not given out',
      () => refusing('-', 1).then((client) => listPage(client, { cursor: 'x' })),
      'bad-cursor',
    ],
    [
      'parts of a job that do not go together',
      async () => jobspecOf({ command: 'x', nodes: 4, tasks: 2 }, defaults),
      'invalid',
    ],
    [
      'a job that Flux refuses',
      () =>
        refusing('job-ingest.submit', Errno.permission, 'no').then((client) =>
          submit(client, { command: 'x' }, defaults),
        ),
      'invalid',
    ],
  ])('%s', async (_, act, kind) => {
    const error = await act().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(JobError);
    expect(error).toMatchObject({ kind });
  });

  it('copies of which only some were submitted, with their ids and the reason', async () => {
    let id = 0;
    const rpc = {
      'job-ingest.submit': () => {
        if (++id > 2) throw new FluxError(Errno.noService, { text: 'gone' });
        return { id };
      },
    };
    const client = await fakeBroker({ rpc }).client();
    await expect(submitCopies(client, '1-9', { command: 'x' }, defaults)).rejects.toMatchObject({
      name: 'JobError',
      kind: 'partly-submitted',
      submitted: ['f2', 'f3'],
      message: '2 of 9 jobs were submitted, then: gone',
      cause: { errno: 'ENOSYS' },
    });
  });

  it('nodes that do not exist, with the part of the request that names them', async () => {
    const R = { execution: { R_lite: [{ rank: '0', children: { core: '0' } }], nodelist: ['mc-0'] } };
    const rpc = { 'resource.status': () => ({ R, drain: {}, online: '0', offline: '', exclude: '' }) };
    const client = await fakeBroker({ rpc }).client();
    const change = Promise.reject(new FluxError(Errno.invalid, { text: 'out of range' }));
    await expect(ofNodes(client, change)).rejects.toMatchObject({
      kind: 'invalid',
      faults: [{ where: '/targets', what: 'out of range; there are the ranks 0, hosts mc-0' }],
    });
  });
});
