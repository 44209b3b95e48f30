/** Does what the plan of a MiniCluster says, each step with its Event. */
import { type ApiError, isRefusal, type KubernetesApi } from '../kubernetes/api.ts';
import type { RecordEvent } from '../kubernetes/events.ts';
import type { KubernetesObject } from '../kubernetes/object.ts';
import { resourceOf } from '../kubernetes/resources.ts';
import type { Plan, Step } from './plan.ts';

interface Effects {
  readonly api: KubernetesApi;
  /** What the API server has answered. */
  readonly wrote: (object: KubernetesObject) => void;
  readonly record: RecordEvent;
}

export interface Refusal {
  readonly error: ApiError;
  readonly sentence: string;
}

/** The first refusal of the API server, if any. After it nothing new is created, since that may need what is refused; what exists is kept. */
export async function executePlan(
  { steps }: Plan,
  regarding: KubernetesObject,
  effects: Effects,
): Promise<Refusal | undefined> {
  let refusal: Refusal | undefined;
  for (const step of steps) {
    if (refusal && step.why === 'missing') continue;
    try {
      await execute(step, regarding, effects);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const { kind, metadata } = step.object;
      refusal ??= {
        error,
        sentence: `The API server refuses the ${kind} ${metadata.name}: ${error.message}`,
      };
    }
  }
  return refusal;
}

async function execute(
  step: Step,
  regarding: KubernetesObject,
  { api, wrote, record }: Effects,
): Promise<void> {
  const { object, act } = step;
  const title = `${object.kind} ${object.metadata.name}`;
  const { namespace = '', name, uid } = object.metadata;
  const target = { resource: resourceOf(object), namespace, name };
  if (act === 'apply') wrote(await api.apply(object));
  else if (act === 'patch') wrote(await api.patch(target, step.patch));
  else await api.delete(target, uid);
  const event = (reason: string, note: string) =>
    record({ type: 'Normal', regarding, reason, action: act, note });
  if (step.act === 'delete') event('Deleted', `${title} is deleted: ${step.why}.`);
  else if (step.why === 'missing') event('Created', `${title} is created.`);
  else {
    // An Event of its own says why the size is another one.
    const others = step.why.includes(completions) ? step.why.filter((path) => !isSize.has(path)) : step.why;
    if (others.length > 0) event('Updated', `${title} is updated: ${others.join(', ')}.`);
  }
}

const completions = 'spec.completions';
const isSize = new Set([completions, 'spec.parallelism']);
