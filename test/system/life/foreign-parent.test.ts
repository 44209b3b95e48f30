/** A dead parent's address has become that of something else, which takes TCP on the overlay port and answers HTTP beside it. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/bed/ask-pod.ts';
import { type Bed, bedUnavailable, createBed } from '../../support/bed/bed.ts';
import type { Pod } from '../../support/bed/pod.ts';
import {
  exitCodes,
  installFluxPod,
  logsOf,
  miniCluster,
  standInFlux,
} from '../../support/project/flux-pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: followers that are led to a foreign server. ${unavailable}`);

/** Says each request, and answers each in another way: JavaScript with the response as `r`. */
const answers = {
  'OK without a line end': 'r.end("OK")',
  'an empty body': 'r.end()',
  '4,097 characters without a line end': 'r.end("x".repeat(4097))',
  'a body without end': 'setInterval(() => r.write("x"), 100).unref()',
  nothing: '',
  404: 'r.writeHead(404).end()',
  'nothing, and closes connections': 'r.destroy()',
};
const server = `
  const answers = [${Object.values(answers).map((answer) => `(r) => { ${answer} }`)}];
  let asked = 0;
  require('node:net').createServer((s) => s.on('error', () => {})).listen(8050);
  require('node:http').createServer((q, r) => { console.log('asked ' + q.url); answers[asked++ % answers.length](r); }).listen(8051);
`;

describe.skipIf(unavailable)(
  'a follower whose parent’s address belongs to a foreign server',
  { concurrent: true },
  () => {
    let bed: Bed;
    beforeAll(async () => {
      bed = await createBed();
    });
    afterAll(() => bed?.close());

    const startPodOf = (cluster: string) =>
      miniCluster(bed, {
        flux: standInFlux,
        size: 2,
        cluster,
        command: ['sh', '-c', 'echo up; exec sleep 1000'],
      });
    const startForeign = (cluster: string) =>
      bed.startPod({ cluster, index: 0, command: [join(installFluxPod(), 'node'), '-e', server] });
    const asked = ({ stdout }: Pod, times: number) => stdout.split('asked ').length > times;

    it('asks again, whatever that answers, and joins the leader when its name leads there', async () => {
      const startPod = startPodOf('joins');
      const foreign = startForeign('joins');
      const follower = startPod(1);
      await until(async () => asked(foreign, Object.keys(answers).length + 1), Boolean);
      bed.nameserver.withdraw(foreign.fqdn ?? '', foreign.address);
      const leader = startPod(0);
      await leader.waitForOutput(/^up$/m).catch((error) => {
        throw new Error(`${error.message}\n${logsOf([follower])}`);
      });
      await Promise.all([leader, follower].map((pod) => pod.signal('SIGTERM')));
      expect(await exitCodes([leader, follower]), logsOf([leader, follower])).toEqual([143, 143]);
      await foreign.kill();
    });

    it('exits after SIGTERM while it asks', async () => {
      const foreign = startForeign('stops');
      const follower = startPodOf('stops')(1);
      await until(async () => asked(foreign, 2), Boolean);
      await follower.signal('SIGTERM');
      expect(await follower.exited, follower.stderr).toEqual({ code: 143 });
      await foreign.kill();
    });
  },
);
