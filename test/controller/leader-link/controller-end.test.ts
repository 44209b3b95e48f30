/** What an agent of another version may report. */
import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { type AcceptedLink, acceptLink } from '../../../agent/link/accept-link.ts';
import type { Message } from '../../../agent/link/protocol.ts';
import { key, openLink, reportsOf } from '../../support/agent/controller-links.ts';
import { listening } from '../../support/agent/parent-links.ts';
import { patience } from '../../support/agent/raw-client.ts';

/** A leader that says these, one after the other. */
async function leaderThatSays(messages: readonly Message[]) {
  const onOpen = (_: string, link: AcceptedLink) => messages.forEach(link.send);
  const server = createServer((request, response) =>
    acceptLink(request, response, () => undefined, {
      ...{ rank: 0, key, incarnation: 'i', admits: () => true, onOpen, onClose: () => undefined },
    }),
  );
  return listening(server);
}

const report = { kind: 'report', size: 4, brokersOnline: 3 };

describe('a controller', () => {
  it.each<[string, Message]>([
    ['a message of a kind that it does not know', { kind: 'news', what: 1 }],
    ['a field that it does not know', { ...report, brokersOnline: 1, gpus: 8 }],
  ])('goes on after %s', async (_, message) => {
    await using leader = await leaderThatSays([message, report]);
    const { reports } = await reportsOf(leader);
    await expect.poll(() => reports.at(-1), patience).toEqual(report);
  });

  it.each<[string, Message]>([
    ['no number of brokers', { kind: 'report', size: 4 }],
    ['brokers below zero', { ...report, brokersOnline: -1 }],
    ['half a broker', { ...report, brokersOnline: 1.5 }],
    ['jobs of two states', { ...report, jobs: { pending: 1, running: 1 } }],
    ['another hello', { kind: 'hello', challenge: 'x' }],
  ])('closes the link after a report of %s, and hears nothing more', async (what, message) => {
    await using leader = await leaderThatSays([message, report]);
    const { reports, broken } = await reportsOf(leader);
    await broken;
    expect(reports, what).toEqual([]);
  });

  it('is settled where the leader has no link for it', async () => {
    await using other = await listening(createServer((_, response) => response.writeHead(404).end()));
    expect(await openLink(other, {})).toBe('foreign');
  });
});
