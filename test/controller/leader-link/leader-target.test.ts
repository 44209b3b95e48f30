import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { controllerKey } from '../../../agent/link/key.ts';
import type { KubernetesObject } from '../../../controller/kubernetes/object.ts';
import { type LeaderSource, leaderTarget } from '../../../controller/leader-link/leader-target.ts';
import { derivedCertificate } from '../../../controller/reconcile/certificate.ts';
import { indexLabel } from '../../../controller/render/reserved/names.ts';

const certificate = derivedCertificate(new Uint8Array(32), { uid: 'u', name: 'mc', created: '2026' });
const [, secretKey = ''] = /secret-key = "(.*)"/.exec(certificate) ?? [];
const secret = (name = 'mc-curve', text = certificate): KubernetesObject =>
  ({
    ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name } },
    data: { 'curve.cert': Buffer.from(text).toString('base64') },
  }) as KubernetesObject;

const pod = (
  index: number,
  { ready = 'True', podIP = '10.0.0.7', metadata = {}, status = {} } = {},
): Pod => ({
  metadata: {
    uid: `uid-${index}`,
    labels: { [indexLabel]: String(index) },
    ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'mc', uid: 'the Job' }],
    ...metadata,
  },
  status: { phase: 'Running', podIP, conditions: [{ type: 'Ready', status: ready }], ...status },
});
const job = (more: object = {}): Job =>
  ({ metadata: { uid: 'the Job' }, spec: { completions: 2 }, ...more }) as Job;

const source: LeaderSource = {
  namespace: 'hpc',
  name: 'mc',
  owned: [secret()],
  job: job(),
  pods: [pod(1, { podIP: '10.0.0.8' }), pod(0)],
};

describe('the leader that a controller asks', () => {
  it('is the ready pod of index 0, with the key of its MiniCluster', () => {
    expect(leaderTarget(source)).toEqual({
      host: '10.0.0.7',
      port: 8051,
      uid: 'uid-0',
      key: controllerKey(secretKey, { namespace: 'hpc', cluster: 'mc' }),
    });
  });

  it('is the pod that runs, beside the one that it replaces', () => {
    const gone = pod(0, { metadata: { uid: 'old', deletionTimestamp: '2026-11-26T10:00:00Z' } });
    const failed = pod(0, { metadata: { uid: 'failed' }, status: { phase: 'Failed' } });
    expect(leaderTarget({ ...source, pods: [gone, failed, pod(0)] })?.uid).toBe('uid-0');
  });

  const ended = { conditions: [{ type: 'Complete', status: 'True' }] };
  const suspended = {
    spec: { suspend: true },
    status: { conditions: [{ type: 'Suspended', status: 'True' }] },
  };
  const none: [string, Partial<LeaderSource>][] = [
    ['before there is a Job', { job: undefined }],
    ['of a Job that has ended', { job: job({ status: ended }) }],
    ['of a Job that is suspended', { job: job(suspended) }],
    ['before there is a pod', { pods: [] }],
    ['where another pod has the labels', { pods: [pod(0, { metadata: { ownerReferences: [] } })] }],
    ['of an earlier Job', { job: job({ metadata: { uid: 'another' } }) }],
    ['while it is not ready', { pods: [pod(0, { ready: 'False' }), pod(1)] }],
    [
      'while it has no address',
      { pods: [{ ...pod(0), status: { conditions: [{ type: 'Ready', status: 'True' }] } }] },
    ],
    ['of one broker alone, which has no certificate', { owned: [] }],
    ['whose certificate is in another Secret', { owned: [secret('other')] }],
    ['whose certificate is damaged', { owned: [secret('mc-curve', 'x')] }],
  ];
  it.each(none)('is none %s', (_, change) => {
    expect(leaderTarget({ ...source, ...change })).toBeUndefined();
  });
});
