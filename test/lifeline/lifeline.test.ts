import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Lifeline, type LifelineOptions, openLifeline } from '../../agent/lifeline/child.ts';
import {
  createSeal,
  decodeLine,
  encodeLine,
  type LifelineMessage,
  lifelinePath,
} from '../../agent/lifeline/message.ts';
import { createLifelines, type Lifelines } from '../../agent/lifeline/parent.ts';

const secret = 'JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6';
const seal = createSeal(secret);
const hello: LifelineMessage = { kind: 'hello', incarnation: '27-1' };
const outcome: LifelineMessage = { kind: 'outcome', code: 7, sentence: 'The program has ended with 7' };

describe('a line', () => {
  const line = encodeLine(outcome, 'nonce', seal).trimEnd();

  it('is read by who has the certificate and asked with the nonce', () => {
    expect(decodeLine(line, 'nonce', createSeal(secret))).toEqual(outcome);
  });

  it.each([
    ['of another instance', line, 'nonce', createSeal('another')],
    ['told to somebody else', line, 'other', seal],
    ['with another code', line.replace('"code":7', '"code":0'), 'nonce', seal],
    ['without a signature', JSON.stringify(outcome), 'nonce', seal],
    ['that is empty', '', 'nonce', seal],
    ['that is signed and means nothing', `${seal.sign('nonce {"kind":"x"}')} {"kind":"x"}`, 'nonce', seal],
    ['that is signed and no JSON', `${seal.sign('nonce {')} {`, 'nonce', seal],
  ])('%s is none', (_, text, nonce, by) => {
    expect(decodeLine(text, nonce, by)).toBeUndefined();
  });

  it('does not give the secret away', () => {
    expect(line).not.toContain(secret);
  });
});

describe('a lifeline', () => {
  let server: Server;
  let lifelines: Lifelines;
  let port = 0;
  beforeEach(async () => {
    lifelines = createLifelines(seal);
    server = createServer((incoming, response) => {
      if (!lifelines.extension(incoming, response, () => undefined)) response.writeHead(404).end();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    port = (server.address() as AddressInfo).port;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const attempt = (options: Partial<LifelineOptions> = {}, parent = { host: '127.0.0.1', port }) =>
    openLifeline(parent, {
      seal,
      signal: new AbortController().signal,
      onMessage: () => undefined,
      ...options,
    });
  const open = async (options?: Partial<LifelineOptions>): Promise<Lifeline> => {
    const line = await attempt(options);
    if (typeof line === 'string') throw new Error(`no lifeline: ${line}`);
    return line;
  };

  it('tells which broker it holds on to, and what is announced, also to who comes late', async () => {
    lifelines.begin('27-1');
    const heard: LifelineMessage[] = [];
    const early = await open({ onMessage: (message) => heard.push(message) });
    expect(early.incarnation).toBe('27-1');
    lifelines.announce({ kind: 'stopping', signal: 'SIGTERM' });
    lifelines.announce(outcome);
    await expect.poll(() => heard).toEqual([{ kind: 'stopping', signal: 'SIGTERM' }, outcome]);
    const late: LifelineMessage[] = [];
    const other = await open({ onMessage: (message) => late.push(message) });
    await expect.poll(() => late).toEqual(heard);
    early.release();
    other.release();
    await lifelines.settled(5000);
  });

  it.each([
    ['before a broker runs', () => undefined, {}, 'not yet'],
    [
      'by who has another certificate',
      () => lifelines.begin('27-1'),
      { seal: createSeal('other') },
      'a stranger',
    ],
  ])('is not opened %s', async (_, prepare, options, why) => {
    prepare();
    expect(await attempt(options)).toBe(why);
  });

  it('is not opened by a request without a signature', async () => {
    lifelines.begin('27-1');
    const ask = request({ host: '127.0.0.1', port, path: lifelinePath }).end();
    const [response] = await once(ask, 'response');
    expect(response.statusCode).toBe(403);
    response.resume();
  });

  it('breaks when the parent’s agent goes, or lets go', async () => {
    lifelines.begin('27-1');
    const first = await open();
    lifelines.interrupt();
    await first.broken;
    lifelines.begin('28-2');
    const second = await open();
    expect(second.incarnation).toBe('28-2');
    server.closeAllConnections();
    await second.broken;
  });

  it('without an outcome is let go at once when the parent ends', async () => {
    lifelines.begin('27-1');
    const line = await open();
    await lifelines.settled(60_000);
    await line.broken;
  });

  it('with an outcome that a child does not take ends after the patience', async () => {
    lifelines.begin('27-1');
    await open();
    lifelines.announce(outcome);
    await lifelines.settled(20);
  });

  it('to a pod whose agent does not listen yet comes later', async () => {
    server.close();
    await once(server, 'close');
    expect(await attempt()).toBe('not yet');
  });

  it('to a stranger that answers something else is none', async () => {
    const stranger = createServer((_, response) => response.end(`${encodeLine(hello, 'old', seal)}`));
    await once(stranger.listen(0, '127.0.0.1'), 'listening');
    const { port: other } = stranger.address() as AddressInfo;
    expect(await attempt({}, { host: '127.0.0.1', port: other })).toBe('a stranger');
    stranger.closeAllConnections();
    stranger.close();
  });
});
