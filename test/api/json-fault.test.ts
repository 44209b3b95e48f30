import { describe, expect, it } from 'vitest';
import { jsonFaultAt, lineAndColumn } from '../../agent/api/http/json-fault.ts';
import { startApi } from '../support/agent/fake-api.ts';

describe('the place where a text stops being JSON', () => {
  it.each([
    ['{"command": hostname}', 12],
    ['{"a": 1,}', 8],
    ["{'a': 1}", 1],
    ['{"a" 1}', 5],
    ['{"a": 1 "b": 2}', 8],
    ['[1, 2', 5],
    ['[1,]', 3],
    ['[1}', 2],
    ['{]', 1],
    ['"no end', 7],
    ['"a\nb"', 2],
    [String.raw`"\x"`, 1],
    ['01', 1],
    ['tru', 0],
    ['{} {}', 3],
    ['', 0],
  ])('is found: %j', (text, offset) => {
    expect(() => JSON.parse(text)).toThrow();
    expect(jsonFaultAt(text)).toBe(offset);
  });

  it('is at the place that JSON.parse names, where it names one', () => {
    const whole = JSON.stringify({ a: [1, -2.5e3, true, null, 'x"\\\u0001é'], b: {}, c: [[], { d: '' }] });
    let compared = 0;
    for (let at = 0; at < whole.length; at++) {
      for (const text of [
        whole.slice(0, at),
        `${whole.slice(0, at)}#${whole.slice(at)}`,
        whole.slice(0, at) + whole.slice(at + 1),
      ]) {
        const said = faultOf(text);
        if (said === undefined) continue;
        expect(jsonFaultAt(text), text).toBe(said);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(60);
  });

  it('is found below as many lists as a body can open', () => {
    expect(jsonFaultAt('['.repeat(1_000_000))).toBe(1_000_000);
  });

  it('is counted in lines and columns', () => {
    expect(lineAndColumn('{\n  "a": x\n}', 9)).toEqual({ line: 2, column: 8 });
  });

  it('is in the answer to a body that is no JSON', async () => {
    using api = await startApi();
    const { status, json } = await api.ask('POST', '/v1/jobs', { body: '{\n  "command": hostname\n}' });
    expect(status).toBe(400);
    expect(json).toMatchObject({
      detail: expect.stringMatching(/^The body is not JSON, at line 2, column 14: Unexpected token 'h'/),
    });
  });
});

/** What V8 says of the place; not everywhere. A number and an escape are one place here; there a character of them is. */
function faultOf(text: string): number | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    const [, position] = /^(?!.*(?:number|minus|escape)).*at position (\d+)/.exec(String(error)) ?? [];
    return position === undefined ? undefined : Number(position);
  }
}
