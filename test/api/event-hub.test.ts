import { describe, expect, it } from 'vitest';
import { startApi, writeToken } from '../support/agent/fake-api.ts';

describe('the stream of events', () => {
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
