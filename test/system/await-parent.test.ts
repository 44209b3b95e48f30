import { afterEach, describe, expect, it } from 'vitest';
import { createResolver } from '../../agent/dns/query/resolver.ts';
import { type Bed, type BedOptions, bedUnavailable, createBed } from '../support/bed.ts';
import { everyFlux, exitCodes, type Flux, logsOf, startMiniCluster } from '../support/flux-pod.ts';
import { foundIn } from '../support/found.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: awaiting the parent in whole pods. ${unavailable}`);

/** As CoreDNS is configured by kubeadm. */
const caching = { negativeTtl: 30, positiveTtl: 30 };
const never = new AbortController().signal;
const size = 4;
const parent = 'mc-0.flux-service.default.svc.cluster.local';

describe.skipIf(unavailable)('followers that await their parent', () => {
  const [flux] = everyFlux() as [Flux];
  let bed: Bed;
  const open = async (options: BedOptions = { dns: caching }) => {
    bed = await createBed(options);
  };
  afterEach(() => bed?.close());

  /** Runs an instance to its end and then removes its pods, whose addresses swallow TCP from then on. */
  async function run(publishAfter = 0) {
    const asked = bed.nameserver.queries.length;
    const pods = startMiniCluster(bed, { size, flux, command: ['true'], pod: () => ({ publishAfter }) });
    const codes = await exitCodes(pods);
    expect(codes, logsOf(pods)).toEqual(Array(size).fill(0));
    const waits = pods.slice(1).map(foundIn);
    const queries = bed.nameserver.queries.slice(asked);
    await Promise.all(pods.map((pod) => pod.remove()));
    return { waits, queries };
  }

  it('of a MiniCluster re-created under its names do so within 1.5 s of the first time, ten times, though all caches hold dead addresses', async () => {
    await open({ dns: { ...caching, servicePort: 8050 } });
    const longest = async () => Math.max(...(await run()).waits.map(({ waitedMs }) => waitedMs));
    const own = await longest();
    for (let round = 1; round <= 10; round++)
      expect(await longest(), `round ${round}`).toBeLessThan(own + 1500);
  });

  it('whose records come 1 s late ask at most 12 questions each, and never for an address that is not there', async () => {
    await open();
    const { waits, queries } = await run(1000);
    for (const { questions, waitedMs } of waits) {
      expect(questions).toBeLessThanOrEqual(12);
      expect(waitedMs).toBeLessThan(2500);
    }
    expect(queries.filter(({ type, rcode }) => type === 'A' && rcode !== 'NOERROR')).toEqual([]);
  });

  it('find it though somebody else asked too early, so that its address is denied for 30 s', async () => {
    await open();
    const { address: host, port } = bed.nameserver;
    const denied = await createResolver([{ host, port }]).ask({ name: parent, type: 'A' }, never);
    expect(denied?.rcode).toBe('NXDOMAIN');
    const { waits } = await run(500);
    for (const { waitedMs } of waits) expect(waitedMs).toBeLessThan(2000);
  });
});
