import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bed, bedUnavailable, createBed } from '../support/bed.ts';
import { everyFlux, exitCodes, logsOf, startMiniCluster } from '../support/flux-pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: whole pods. ${unavailable}`);

describe.skipIf(unavailable)('pods of an Indexed Job become one Flux instance', () => {
  describe.each(everyFlux())('with $name', (flux) => {
    let bed: Bed;
    beforeAll(async () => {
      bed = await createBed({ dns: { negativeTtl: 30, positiveTtl: 30 } });
    });
    afterAll(() => bed?.close());

    it.each([1, 2, 4, 7, 33])('%i pods, with only FLUX_POD_SIZE set', async (size) => {
      const pods = startMiniCluster(bed, {
        size,
        flux,
        cluster: `mc${size}`,
        command: ['sh', '-c', `flux resource list; flux run -N${size} hostname`],
      });
      expect(await exitCodes(pods), logsOf(pods)).toEqual(pods.map(() => 0));
      const hostnames = pods[0]?.stdout.split('\n').filter((line) => line.startsWith(`mc${size}-`));
      expect(hostnames?.sort()).toEqual(pods.map((pod) => pod.name).sort());
      expect(pods[0]?.stdout).toMatch(/STATE +NNODES +NCORES/);
      expect(
        pods
          .slice(1)
          .map((pod) => pod.stdout)
          .join(''),
      ).toBe('');
      for (const pod of pods) await pod.remove();
    });
  });
});
