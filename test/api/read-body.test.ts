import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { readBody } from '../../agent/api/http/request.ts';
import { jobRoutes } from '../../agent/api/routes/job-routes.ts';

const [route] = jobRoutes.filter(({ method }) => method === 'POST');
if (!route) throw new Error('a job can be submitted');

describe('a body', () => {
  const begun = () => {
    const request = new IncomingMessage(new Socket());
    request.push('{"comm');
    return request;
  };

  it('is read whole', async () => {
    const request = begun();
    const body = readBody(route, request);
    request.push('and":[]}');
    request.push(null);
    expect(await body).toBe('{"command":[]}');
  });

  it('whose connection is destroyed before its end is not awaited, with and without an error', async () => {
    for (const error of [undefined, new Error('aborted')]) {
      const request = begun();
      const body = readBody(route, request);
      request.destroy(error);
      await expect(body).rejects.toThrow(/closed|aborted/);
    }
  });
});
