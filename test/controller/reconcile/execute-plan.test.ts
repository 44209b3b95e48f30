import { describe, expect, it } from 'vitest';
import { ApiError, type KubernetesApi } from '../../../controller/kubernetes/api.ts';
import type { KubernetesObject } from '../../../controller/kubernetes/object.ts';
import { executePlan } from '../../../controller/reconcile/execute-plan.ts';
import type { Plan, Step } from '../../../controller/reconcile/plan.ts';

const object = (apiVersion: string, kind: string): KubernetesObject => ({
  apiVersion,
  kind,
  metadata: { name: 'mc', namespace: 'hpc' },
});
const service = object('v1', 'Service');
const configMap = object('v1', 'ConfigMap');
const job = object('batch/v1', 'Job');
const missing = (wanted: KubernetesObject): Step => ({ act: 'apply', object: wanted, why: 'missing' });
const resized: Step = { act: 'patch', object: job, patch: {}, why: ['spec.completions'] };

async function execute(steps: readonly Step[], failure: ApiError) {
  const done: string[] = [];
  const api: Pick<KubernetesApi, 'apply' | 'patch'> = {
    apply: async (wanted) => {
      if (wanted.kind === 'Service') throw failure;
      done.push(`apply ${wanted.kind}`);
      return wanted;
    },
    patch: async (target) => {
      done.push(`patch ${target.resource.kind}`);
      return job;
    },
  };
  const plan: Plan = { steps, outdated: [], outdatedClaim: [], outdatedSecret: [], foreign: [] };
  const effects = { api: api as KubernetesApi, wrote: () => undefined, record: () => undefined };
  return { done, result: executePlan(plan, object('flux-framework.org/v1alpha2', 'MiniCluster'), effects) };
}

describe('a plan of which the API server refuses a part', () => {
  const refusal = new ApiError(403, 'Forbidden', 'exceeded quota: small');

  it('creates nothing after it, keeps what exists, and names the first refusal', async () => {
    const { done, result } = await execute([missing(service), missing(configMap), resized], refusal);
    expect(await result).toEqual({
      error: refusal,
      sentence: 'The API server refuses the Service mc: exceeded quota: small',
    });
    expect(done).toEqual(['patch Job']);
  });

  it.each([
    [409, 'Conflict'],
    [401, 'Unauthorized'],
    [500, 'InternalError'],
  ])('is no refusal where the answer is %i: the plan is tried again as it is', async (status, reason) => {
    const failure = new ApiError(status, reason, 'no');
    const { done, result } = await execute([missing(service), resized], failure);
    await expect(result).rejects.toBe(failure);
    expect(done).toEqual([]);
  });
});
