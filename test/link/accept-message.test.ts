import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { createMessages } from '../../agent/link/accept-message.ts';
import { controllerKey, linkSigner } from '../../agent/link/key.ts';
import { createSender } from '../../agent/link/send-message.ts';
import { listening } from '../support/agent/parent-links.ts';

const name = { rank: 0, peer: 'peer', nonce: 'a'.repeat(32) };
const signer = linkSigner(controllerKey('secret', { namespace: undefined, cluster: 'mc' }), name);

/** An agent with one open link, and the peer's end of its messages. */
async function startAgent() {
  let now = 0;
  const link = { nonce: name.nonce, signer, send: () => undefined, close: () => undefined };
  const messages = createMessages({ linkOf: () => link, onMessage: () => true, now: () => now });
  const { host, port, [Symbol.asyncDispose]: dispose } = await listening(createServer(messages));
  const { signal } = new AbortController();
  const send = createSender({ address: { host, port }, path: '/', name, signer, signal, answerMs: 20_000 });
  const answers = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => send({ kind: 'message', n })));
  return {
    answers,
    pass: (ms: number) => {
      now += ms;
    },
    [Symbol.asyncDispose]: dispose,
  };
}

describe('the messages of a peer', () => {
  it('are accepted 20 at once and two a second: none beyond that, which may be sent again', async () => {
    await using agent = await startAgent();
    expect(await agent.answers(21)).toEqual([...Array(20).fill('accepted'), 'unavailable']);
    agent.pass(499);
    expect(await agent.answers(1)).toEqual(['unavailable']);
    agent.pass(1);
    expect(await agent.answers(2)).toEqual(['accepted', 'unavailable']);
    agent.pass(3_600_000);
    expect(await agent.answers(21)).toEqual([...Array(20).fill('accepted'), 'unavailable']);
  });
});
