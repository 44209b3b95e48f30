import { describe, expect, it } from 'vitest';
import type { KubernetesObject } from '../../../controller/kubernetes/object.ts';
import { type PlanInput, planOf, type Step } from '../../../controller/reconcile/plan.ts';

const owner = {
  apiVersion: 'flux-framework.org/v1alpha2',
  kind: 'MiniCluster',
  name: 'mc',
  uid: 'u-1',
  controller: true,
};
const object = (kind: string, more: object = {}, metadata: object = {}): KubernetesObject => ({
  apiVersion: kind === 'Job' ? 'batch/v1' : 'v1',
  kind,
  metadata: { name: 'mc', namespace: 'default', ownerReferences: [owner], ...metadata },
  ...more,
});
const service = object('Service', { spec: { clusterIP: 'None' } });
const job = (size = 4, image = 'a', status: object = {}) =>
  object('Job', {
    spec: {
      completions: size,
      parallelism: size,
      template: { spec: { containers: [{ name: 'flux', image }] } },
    },
    status,
  });

const plan = (input: Partial<PlanInput>) =>
  planOf({ uid: 'u-1', desired: [service, job()], live: [], isFinished: false, recreate: false, ...input });
/** `apply Service`, `patch Job`. */
const titles = (steps: readonly Step[]) => steps.map(({ act, object: { kind } }) => `${act} ${kind}`);

describe('the plan of a MiniCluster', () => {
  it('creates what is missing, in the order of the rendering', () => {
    expect(titles(plan({}).steps)).toEqual(['apply Service', 'apply Job']);
  });

  it('is empty when all is as desired, whatever the API server has added', () => {
    const added = object('Service', {
      spec: { clusterIP: 'None', type: 'ClusterIP', sessionAffinity: 'None' },
      status: {},
    });
    expect(plan({ live: [added, job()] })).toEqual({
      steps: [],
      outdated: [],
      outdatedClaim: [],
      outdatedSecret: [],
      foreign: [],
    });
  });

  it('repairs an edited object', () => {
    const edited = object('Service', { spec: { clusterIP: '10.0.0.1' } });
    expect(plan({ live: [edited, job()] }).steps).toEqual([
      { act: 'apply', object: service, why: ['spec.clusterIP'] },
    ]);
  });

  const claim = (storage: string, metadata: object = {}) =>
    object('PersistentVolumeClaim', { spec: { resources: { requests: { storage } } } }, metadata);

  it('leaves the data of a claim alone: not changed, not deleted, and not made again after the end', () => {
    expect(plan({ desired: [claim('2Gi')], live: [claim('1Gi')] })).toMatchObject({
      steps: [],
      outdatedClaim: ['spec.resources.requests.storage'],
    });
    expect(plan({ live: [service, job(), claim('1Gi')] }).steps).toEqual([]);
    expect(plan({ desired: [claim('1Gi')], live: [], isFinished: true }).steps).toEqual([]);
    expect(titles(plan({ desired: [claim('1Gi')], live: [] }).steps)).toEqual([
      'apply PersistentVolumeClaim',
    ]);
    const labelled = claim('1Gi', { labels: { team: 'a' } });
    expect(plan({ desired: [labelled], live: [claim('1024Mi')] }).steps).toMatchObject([
      { act: 'patch', patch: { metadata: { labels: { team: 'a' } } }, why: ['metadata.labels'] },
    ]);
  });

  it('names the Secret where the user’s own certificate is another, and not where it is derived', () => {
    const [a, b] = ['a', 'b'].map((text) =>
      object('Secret', { immutable: true, data: { 'curve.cert': text } }),
    ) as [KubernetesObject, KubernetesObject];
    const input = { desired: [a], live: [b] };
    expect(plan({ ...input, hasOwnCertificate: true })).toMatchObject({ steps: [], outdatedSecret: ['mc'] });
    expect(plan({ ...input, live: [a], hasOwnCertificate: true }).outdatedSecret).toEqual([]);
    expect(plan(input)).toMatchObject({ steps: [], outdatedSecret: [] });
  });

  it('applies a ConfigMap also where somebody has made it immutable: that it is refused is seen', () => {
    const [wanted, live] = [
      object('ConfigMap', { data: { a: '1' } }),
      object('ConfigMap', { data: { a: '2' }, immutable: true }),
    ] as const;
    expect(titles(plan({ desired: [wanted], live: [live] }).steps)).toEqual(['apply ConfigMap']);
  });

  it('adopts what an orphan deletion or `render` has left, and nothing that is not of flux-pod', () => {
    const labels = { 'flux-pod/minicluster': 'mc' };
    const wanted = [
      object('Service', { spec: { clusterIP: 'None' } }, { labels }),
      object('Job', {}, { labels }),
    ];
    const left = wanted.map(({ kind }) =>
      object(kind, { spec: { clusterIP: 'None' } }, { labels, ownerReferences: undefined }),
    );
    const { steps, foreign } = plan({ desired: wanted, live: left });
    expect(titles(steps)).toEqual(['apply Service', 'patch Job']);
    expect(steps.map(({ why }) => why)).toEqual([['metadata.ownerReferences'], ['metadata.ownerReferences']]);
    expect(steps[1]).toMatchObject({ patch: { metadata: { ownerReferences: [owner] } } });
    expect(foreign).toEqual([]);
    const users = object('Service', { spec: { clusterIP: 'None' } }, { ownerReferences: undefined });
    expect(plan({ live: [users, job()] })).toMatchObject({ steps: [], foreign: ['Service default/mc'] });
  });

  it('leaves alone what belongs to another owner', () => {
    const other = object(
      'Service',
      { spec: { clusterIP: '10.0.0.1' } },
      { ownerReferences: [{ ...owner, name: 'other', uid: 'u-2' }] },
    );
    expect(plan({ live: [other, job()] })).toEqual({
      steps: [],
      outdated: [],
      outdatedClaim: [],
      outdatedSecret: [],
      foreign: ['Service default/mc'],
    });
  });

  it('waits until what a deleted MiniCluster of the same name has left is away', () => {
    const left = object('Service', {}, { ownerReferences: [{ ...owner, uid: 'u-0' }] });
    expect(plan({ live: [left, job()] })).toMatchObject({ steps: [], foreign: [] });
  });

  it('deletes what it owns and no longer wants', () => {
    const old = object('Service', {}, { name: 'old' });
    expect(plan({ live: [service, job(), old] }).steps).toEqual([
      { act: 'delete', object: old, why: 'not desired' },
    ]);
    const leaving = object('Service', {}, { name: 'old', deletionTimestamp: 'now' });
    expect(plan({ live: [service, job(), leaving] }).steps).toEqual([]);
  });

  it('waits until an object that is being deleted is away', () => {
    const leaving = object('Service', {}, { deletionTimestamp: 'now' });
    expect(plan({ live: [leaving, job()] }).steps).toEqual([]);
  });

  it('patches the size of a Job, and nothing of its template', () => {
    const steps = plan({ live: [service, job(2)] }).steps;
    expect(steps).toMatchObject([{ act: 'patch', patch: { spec: { completions: 4, parallelism: 4 } } }]);
  });

  it('leaves to Kueue whether the Job is suspended', () => {
    const suspended = job();
    expect(
      plan({
        live: [service, object('Job', { spec: { ...(suspended as { spec?: object }).spec, suspend: true } })],
      }).steps,
    ).toEqual([]);
  });

  it('names what a Job does not take, and patches what it takes', () => {
    const { steps, outdated } = plan({ live: [service, job(2, 'b')] });
    expect(outdated).toEqual(['spec.template.spec.containers[flux].image']);
    expect(titles(steps)).toEqual(['patch Job']);
  });

  /** `live` as flux-pod has applied it with these fields. */
  const applied = (live: KubernetesObject, fieldsV1: object): KubernetesObject => ({
    ...live,
    metadata: {
      ...live.metadata,
      managedFields: [{ manager: 'flux-pod', apiVersion: live.apiVersion, fieldsV1 }],
    },
  });

  it('applies an object of which a field is no longer desired', () => {
    const live = applied(object('Service', { spec: { clusterIP: 'None', ports: [{ name: 'a' }] } }), {
      'f:spec': { 'f:ports': { 'k:{"name":"a"}': { '.': {}, 'f:name': {} } } },
    });
    expect(plan({ live: [live, job()] }).steps).toEqual([
      { act: 'apply', object: service, why: ['spec.ports[a]'] },
    ]);
  });

  it.each<[string, object, object, object]>([
    [
      'patches a field that can be taken away',
      { 'f:activeDeadlineSeconds': {} },
      { activeDeadlineSeconds: 60 },
      {
        steps: [{ act: 'patch', patch: { spec: { activeDeadlineSeconds: null } } }],
        outdated: [],
      },
    ],
    [
      'names one of the template',
      { 'f:template': { 'f:spec': { 'f:volumes': { 'k:{"name":"v"}': { '.': {} } } } } },
      { template: { spec: { containers: [{ name: 'flux', image: 'a' }], volumes: [{ name: 'v' }] } } },
      { steps: [], outdated: ['spec.template.spec.volumes[v]'] },
    ],
    [
      'names one that has a default',
      { 'f:backoffLimit': {} },
      { backoffLimit: 6 },
      { steps: [], outdated: ['spec.backoffLimit'] },
    ],
    [
      'leaves it to the annotation whether the Job is suspended',
      { 'f:suspend': {} },
      { suspend: true },
      { steps: [], outdated: [] },
    ],
  ])('of what is no longer desired of a Job %s', (_, owned, spec, expected) => {
    const live = job() as KubernetesObject & { spec: object };
    const changed = applied({ ...live, spec: { ...live.spec, ...spec } } as KubernetesObject, {
      'f:spec': owned,
    });
    expect(plan({ live: [service, changed] })).toMatchObject(expected);
  });

  it('takes from a Job and a claim the labels and annotations that are no longer desired, and no other', () => {
    const metadata = { labels: { ours: '1', theirs: '1' }, annotations: { ours: '1' } };
    const fields = { 'f:metadata': { 'f:labels': { 'f:ours': {} }, 'f:annotations': { 'f:ours': {} } } };
    const live = [
      applied(object('PersistentVolumeClaim', {}, metadata), fields),
      applied(object('Job', {}, metadata), fields),
    ];
    const desired = [object('PersistentVolumeClaim'), object('Job')];
    const patch = {
      metadata: { labels: { ours: null }, annotations: { ours: null }, ownerReferences: [owner] },
    };
    expect(plan({ live, desired }).steps).toMatchObject([
      { act: 'patch', patch },
      { act: 'patch', patch },
    ]);
    expect(
      JSON.stringify(plan({ live, desired }).steps.map((step) => 'patch' in step && step.patch)),
    ).not.toMatch(/theirs/);
  });

  it('deletes such a Job where it is to be created again', () => {
    const { steps, outdated } = plan({ live: [service, job(2, 'b')], recreate: true });
    expect(outdated).toEqual([]);
    expect(steps).toMatchObject([{ act: 'delete', why: 'recreate' }]);
  });

  it('changes nothing of a Job that has ended, and does not run it again after its deletion', () => {
    const ended = job(2, 'b', { conditions: [{ type: 'Complete', status: 'True' }] });
    expect(plan({ live: [service, ended], recreate: true })).toEqual({
      steps: [],
      outdated: [],
      outdatedClaim: [],
      outdatedSecret: [],
      foreign: [],
    });
    expect(titles(plan({ live: [service], isFinished: true }).steps)).toEqual([]);
  });
});
