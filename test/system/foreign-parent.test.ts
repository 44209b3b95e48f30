/** A dead parent's address has become that of something else, which takes TCP on the overlay port and answers HTTP beside it. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../support/ask-pod.ts';
import { type Bed, bedUnavailable, createBed } from '../support/bed.ts';
import { everyFlux, exitCodes, type Flux, installFluxPod, logsOf, miniCluster } from '../support/flux-pod.ts';
import type { Pod } from '../support/pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: followers that are led to a foreign server. ${unavailable}`);

/** Says each request; `answer` is JavaScript, with the response as `r`. */
const server = (answer: string) => `
  require('node:net').createServer((s) => s.on('error', () => {})).listen(8050);
  require('node:http').createServer((q, r) => { console.log('asked ' + q.url); ${answer} }).listen(8051);
`;

describe.skipIf(unavailable)('a follower whose parent’s address belongs to a foreign server', () => {
  const [flux] = everyFlux() as [Flux];
  let bed: Bed;
  let startPod: (index: number) => Pod;
  beforeEach(async () => {
    bed = await createBed();
    startPod = miniCluster(bed, { flux, size: 2, command: ['sh', '-c', 'echo up; exec sleep 1000'] });
  });
  afterEach(() => bed?.close());

  const startForeign = (answer: string) =>
    bed.startPod({
      cluster: 'mc',
      index: 0,
      command: [join(installFluxPod(), 'node'), '-e', server(answer)],
    });
  const timesAsked = ({ stdout }: Pod) => stdout.split('asked ').length - 1;
  const askedAgain = (foreign: Pod) =>
    until(
      async () => timesAsked(foreign),
      (times) => times > 3,
    );

  it.each([
    ['OK without a line end', 'r.end("OK")'],
    ['an empty body', 'r.end()'],
    ['4,097 characters without a line end', 'r.end("x".repeat(4097))'],
    ['a body without end', 'setInterval(() => r.write("x"), 100)'],
    ['nothing', ''],
    ['404', 'r.writeHead(404).end()'],
  ])('that answers with %s asks again, and exits after SIGTERM', async (_, answer) => {
    const foreign = startForeign(answer);
    const follower = startPod(1);
    await askedAgain(foreign);
    await follower.signal('SIGTERM');
    expect(await follower.exited, follower.stderr).toEqual({ code: 143 });
  });

  it.each([
    ['OK to everything', 'r.end("OK")'],
    ['nothing', ''],
    ['nothing, and closes connections', 'r.destroy()'],
  ])('that says %s goes on looking, and joins the leader when its name leads there', async (_, answer) => {
    const foreign = startForeign(answer);
    const follower = startPod(1);
    await askedAgain(foreign);
    bed.nameserver.withdraw(foreign.fqdn ?? '', foreign.address);
    const leader = startPod(0);
    await leader.waitForOutput(/^up$/m, 60_000).catch((error) => {
      throw new Error(`${error.message}\n${logsOf([follower])}`);
    });
    await Promise.all([leader, follower].map((pod) => pod.signal('SIGTERM')));
    expect(await exitCodes([leader, follower]), logsOf([leader, follower])).toEqual([143, 143]);
  });
});
