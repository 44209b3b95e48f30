import { describe, expect, it } from 'vitest';
import { startApi, writeToken } from '../support/agent/fake-api.ts';

/** Three nodes of two cores, of which one is offline and one drained. */
const R = (rank: string) => ({
  version: 1,
  execution: { R_lite: rank === '' ? [] : [{ rank, children: { core: '0-1' } }], nodelist: ['mc-[0-2]'] },
});
const states = { depend: 0, priority: 0, sched: 1, run: 1, cleanup: 0, inactive: 0, total: 2 };
const flux = {
  rpc: {
    'job-list.job-stats': () => ({ job_states: states, successful: 0, failed: 0, canceled: 0, timeout: 0 }),
    'resource.sched-status': () => ({ all: R('0-2'), down: R('1-2'), allocated: R('0') }),
    'resource.status': () => ({ R: R('0-2'), drain: {}, online: '0-1', offline: '2', exclude: '' }),
  },
  stream: { 'job-manager.events-journal': async function* () {} },
};
const demand = { wanted: 3, busy: 1, idle: 1, active: 2, unfit: [], unfitCount: 0 };

describe('the stream of events', () => {
  it.each([
    ['the nodes that the queue wants', { demand: () => demand }, { wanted: 3 }],
    ['none of these where the queue is not watched', {}, {}],
  ])('has samples with the nodes online, those with jobs, and %s', async (_, spec, wanted) => {
    using api = await startApi(flux, spec);
    const response = await fetch(`${api.url}/v1/events`, {
      headers: { authorization: `Bearer ${writeToken}` },
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!/event: sample\ndata: .*\n\n/.test(text)) {
      const part = await reader?.read();
      expect(part?.done, text).toBe(false);
      text += part?.value;
    }
    const sample = JSON.parse(/event: sample\ndata: (.*)\n/.exec(text)?.[1] ?? '');
    expect(sample.nodes).toEqual({ all: 3, online: 2, up: 1, allocated: 1, ...wanted });
  });

  it('has an event for the end of the API, which a lost connection has not', async () => {
    const api = await startApi();
    const response = await fetch(`${api.url}/v1/events`, {
      headers: { authorization: `Bearer ${writeToken}` },
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const first = await reader?.read();
    expect(first?.value).toMatch(/^event: history\n/);
    api.close();
    let text = '';
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) text += part.value;
    expect(text).toMatch(/event: end\ndata: {}\n\n$/);
  });
});
