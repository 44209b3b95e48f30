import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { parseCertificate } from '../../../agent/broker/certificate/curve-certificate.ts';
import { isKeyPair } from '../../../agent/broker/certificate/key-pair.ts';
import type { KubernetesObject } from '../../../controller/kubernetes/object.ts';
import { derivedCertificate } from '../../../controller/reconcile/certificate.ts';
import { type Desired, desiredOf } from '../../../controller/reconcile/desired.ts';
import type { RenderOptions } from '../../../controller/render/minicluster/cluster.ts';
import { initialSizeAnnotation } from '../../../controller/size/asked-size.ts';

const seed = new Uint8Array(32).fill(7);
const certificate = derivedCertificate(seed, { uid: 'u-1', name: 'mc', created: '2026-11-26T10:00:00Z' });
const options: RenderOptions = {
  installer: 'installer',
  user: { uid: 1000, gid: 1000 },
  extras: new Set(['probes', 'network-policy', 'disruption-budget']),
  secret: undefined,
  certificate: undefined,
  freshCertificate: certificate,
};
const miniCluster = (spec: object = {}): KubernetesObject => ({
  apiVersion: 'flux-framework.org/v1alpha2',
  kind: 'MiniCluster',
  metadata: { name: 'mc', namespace: 'hpc', uid: 'u-1', generation: 1 },
  ...{
    spec: {
      size: 4,
      containers: [{ image: 'a', command: 'true' }],
      flux: { container: { disable: true } },
      ...spec,
    },
  },
});
const desired = (object: KubernetesObject, job?: KubernetesObject) => {
  const result = desiredOf(object, job, options);
  if ('problems' in result) throw new Error(result.problems.join('\n'));
  return result;
};
const jobOf = ({ objects }: Desired) => objects.find(({ kind }) => kind === 'Job') as KubernetesObject & Job;
/** As the API server has it, resized to `size`. */
const running = (spec: object, size: number): KubernetesObject => {
  const job = jobOf(desired(miniCluster(spec)));
  return { ...job, ...{ spec: { ...job.spec, completions: size, parallelism: size } } };
};

describe('the desired objects', () => {
  it('are owned by the MiniCluster, in its namespace', () => {
    const { objects } = desired(miniCluster());
    expect(objects.map(({ kind }) => kind)).toContain('Secret');
    for (const { metadata } of objects)
      expect(metadata).toMatchObject({
        namespace: 'hpc',
        ownerReferences: [
          { kind: 'MiniCluster', name: 'mc', uid: 'u-1', controller: true, blockOwnerDeletion: true },
        ],
      });
  });

  it('are the same each time, so that nothing is written', () => {
    expect(desired(miniCluster())).toEqual(desired(miniCluster()));
    expect(desired(miniCluster(), running({}, 4)).objects).toEqual(desired(miniCluster()).objects);
  });

  it('have no end of their own for the Job: `cleanup` deletes the MiniCluster', () => {
    expect(jobOf(desired(miniCluster({ cleanup: true }))).spec?.ttlSecondsAfterFinished).toBeUndefined();
  });

  it.each([
    [{ minSize: 2, maxSize: 8 }, 4, 6, 6, undefined],
    [{ minSize: 2, maxSize: 8 }, 4, 2, 2, undefined],
    [{ minSize: 2, maxSize: 8 }, 6, 9, 6, 'spec.size is 9, but the bounds are 2 to 8: the size stays 6.'],
    [{ minSize: 2, maxSize: 8 }, 6, 1, 6, 'spec.size is 1, but the bounds are 2 to 8: the size stays 6.'],
    [
      {},
      4,
      5,
      4,
      'spec.size is 5, but without spec.minSize and spec.maxSize the size stays what it was at the start, 4.',
    ],
  ])('with %j resize a Job of size %i to %i: %i', (bounds, now, asked, size, refused) => {
    const result = desired(miniCluster({ ...bounds, size: asked }), running(bounds, now));
    expect(result).toMatchObject({ size, sizeRefused: refused });
    expect(jobOf(result).spec).toMatchObject({ completions: size, parallelism: size });
    expect(jobOf(result).metadata).toMatchObject({ annotations: { [initialSizeAnnotation]: '4' } });
    // The pods are those of the first size.
    expect(jobOf(result).spec?.template).toEqual(jobOf(desired(miniCluster(bounds))).spec?.template);
  });

  it.each<[string, object, number, object, object]>([
    [
      'a raised maxSize',
      { minSize: 2, maxSize: 4 },
      4,
      { minSize: 2, maxSize: 8, size: 6 },
      {
        size: 4,
        maxSize: 4,
        sizeRefused: expect.stringMatching(/^spec\.size is 6, but the pods run with at most 4 hosts/),
      },
    ],
    [
      'bounds that were added',
      {},
      4,
      { minSize: 2, maxSize: 8, size: 6 },
      { size: 4, maxSize: 4, sizeRefused: expect.stringMatching(/at most 4 hosts/) },
    ],
    [
      'a raised maxSize and the demand',
      { minSize: 2, maxSize: 5 },
      3,
      { minSize: 2, maxSize: 8, autoscaling: {} },
      { size: 3, maxSize: 5 },
    ],
    [
      'a lowered maxSize',
      { minSize: 2, maxSize: 8 },
      6,
      { minSize: 2, maxSize: 5, size: 5 },
      { size: 5, maxSize: 5 },
    ],
  ])('with %s are no larger than the hosts with which the pods run', (_, before, now, after, expected) => {
    const result = desired(miniCluster(after), running(before, now));
    expect(result).toMatchObject({ sizeRefused: undefined, ...expected });
    expect(jobOf(result).spec).toMatchObject({ completions: result.size, parallelism: result.size });
  });

  it.each([
    ['minSize above', { size: 6, minSize: 5, maxSize: 8 }, 6],
    ['maxSize below', { size: 3, minSize: 1, maxSize: 3 }, 3],
    ['minSize above it, and the demand decides,', { size: 4, minSize: 5, maxSize: 8, autoscaling: {} }, 6],
  ])('have a %s the size at the start: the MiniCluster is checked as it is written', (_, after, size) => {
    const result = desired(miniCluster(after), running({ minSize: 1, maxSize: 8 }, 6));
    expect(result).toMatchObject({ size, sizeRefused: undefined });
  });

  it('of an invalid MiniCluster are none, and each problem has its path', () => {
    const result = desiredOf(miniCluster({ size: 0, contaners: [] }), undefined, options);
    expect(result).toEqual({
      problems: expect.arrayContaining([
        expect.stringMatching(/^spec\.size: expected/),
        expect.stringMatching(/^spec\.contaners: /),
      ]),
    });
  });
});

describe('in a queue of Kueue', () => {
  const queue = 'kueue.x-k8s.io/queue-name';
  const queued = (spec: object, annotations?: Record<string, string>) => {
    const object = miniCluster(spec);
    const metadata = { ...object.metadata, labels: { [queue]: 'q' }, ...(annotations && { annotations }) };
    return { ...object, metadata };
  };
  const elastic = { minSize: 2, maxSize: 8, autoscaling: {} };
  const idle = {
    idleTimeout: 600,
    flux: { container: { disable: true }, stateVolume: { size: '1Gi' } },
  };

  it('a size that follows the demand is invalid, since Kueue stops a Job that is resized, unless the Job is elastic', () => {
    expect(desiredOf(queued(elastic), undefined, options)).toEqual({
      problems: [
        expect.stringMatching(/^spec\.autoscaling: cannot be used in a queue of Kueue \(metadata\.labels/),
      ],
    });
    expect(desired(queued({ minSize: 2, maxSize: 8 }))).toMatchObject({ sizeDecidedBy: 'Spec' });
    expect(desired(miniCluster(elastic))).toMatchObject({ sizeDecidedBy: 'Demand' });
    const annotations = { 'kueue.x-k8s.io/elastic-job': 'true' };
    const result = desired(queued(elastic, annotations));
    expect(result).toMatchObject({ sizeDecidedBy: 'Demand' });
    expect(jobOf(result).metadata).toMatchObject({ annotations, labels: { [queue]: 'q' } });
  });

  it('nothing is suspended when it is idle, since Kueue resumes it, and a warning says so', () => {
    const ofIdle = ({ warnings }: Desired) => warnings.filter((line) => line.startsWith('spec.idleTimeout '));
    const alone = desired(miniCluster(idle));
    expect([alone.idleMs, ofIdle(alone)]).toEqual([600_000, []]);
    const inQueue = desired(queued(idle));
    expect([inQueue.idleMs, ofIdle(inQueue)]).toEqual([
      undefined,
      [expect.stringMatching(/^spec\.idleTimeout is not used: .* Kueue .*queue-name/)],
    ]);
  });
});

describe('the certificate', () => {
  it('is a key pair, the same for one MiniCluster and another for the next', () => {
    const reading = parseCertificate(certificate);
    expect('certificate' in reading && isKeyPair(reading.certificate)).toBe(true);
    const of = (uid: string, from = seed) =>
      derivedCertificate(from, { uid, name: 'mc', created: '2026-11-26T10:00:00Z' });
    expect(of('u-1')).toBe(certificate);
    expect(of('u-2')).not.toBe(certificate);
    expect(of('u-1', new Uint8Array(32).fill(8))).not.toBe(certificate);
  });

  it('is never derived from a seed that is too short', () => {
    expect(() => derivedCertificate(new Uint8Array(16), { uid: 'u', name: 'mc', created: '' })).toThrow(
      /32 bytes, not 16/,
    );
  });
});
