import { describe, expect, it } from 'vitest';
import { createResolver } from '../../../agent/dns/query/resolver.ts';
import { type Bed, bedUnavailable, createBed } from '../../support/bed/bed.ts';
import { exitCodes, logsOf, standInFlux, startMiniCluster } from '../../support/project/flux-pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: awaiting the parent in whole pods. ${unavailable}`);

/** Both are cached, as kubeadm configures CoreDNS, but for longer than a test lasts: a pod that waits for the end of a TTL fails it. */
const caching = { negativeTtl: 3600, positiveTtl: 3600 };
const never = new AbortController().signal;
const size = 2;
const parent = 'mc-0.flux-service.default.svc.cluster.local';

/** How late each finds it, and after how many questions, by a virtual clock: test/dns. */
describe.skipIf(unavailable)('followers that await their parent', { concurrent: true }, () => {
  /** Runs an instance to its end and then removes its pods, whose addresses swallow TCP from then on. */
  async function run(bed: Bed, publishAfter = 0) {
    const asked = bed.nameserver.queries.length;
    const spec = { size, flux: standInFlux, command: ['true'] };
    const pods = startMiniCluster(bed, { ...spec, pod: () => ({ publishAfter }) });
    const codes = await exitCodes(pods);
    expect(codes, logsOf(pods)).toEqual(Array(size).fill(0));
    const queries = bed.nameserver.queries.slice(asked);
    await Promise.all(pods.map((pod) => pod.remove()));
    return { queries };
  }

  it('of a MiniCluster re-created under its names find it three times more, though all caches hold dead addresses', async () => {
    await using bed = await createBed({ dns: { ...caching, servicePort: 8050 } });
    for (let round = 0; round <= 3; round++) await run(bed);
  });

  it('whose records come 1 s late never ask for an address that is not there', async () => {
    await using bed = await createBed({ dns: caching });
    const { queries } = await run(bed, 1000);
    expect(queries.filter(({ type, rcode }) => type === 'A' && rcode !== 'NOERROR')).toEqual([]);
  });

  it('find it though its address was asked for too early, so that a cache keeps a negative answer', async () => {
    await using bed = await createBed({ dns: caching });
    const { address: host, port } = bed.nameserver;
    const early = await createResolver([{ host, port }]).ask({ name: parent, type: 'A' }, never);
    expect(early?.rcode).toBe('NXDOMAIN');
    await run(bed, 500);
  });
});
