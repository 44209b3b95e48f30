/**
 * What a job needs of nodes, from its jobspec (RFC 14), as the schedulers of flux-core read it (src/bindings/python/flux/resource/Rv1Pool.py,
 * ResourceRequest.from_jobspec). Of a range of counts the least counts: with it the job can start.
 */

export interface JobNeed {
  /** 0 where its slots may lie on any nodes. */
  readonly nodes: number;
  /** On each node, or in all where the number of nodes is 0. */
  readonly slots: number;
  /** A slot. */
  readonly cores: number;
  readonly gpus: number;
  /** Shares its nodes with no other job, and is given all of their cores. */
  readonly exclusive: boolean;
  /** RFC 31; undefined where any node will do. */
  readonly constraint: unknown;
  /** Undefined in the anonymous queue. */
  readonly queue: string | undefined;
}

/** As in Rv1Pool.py, MAX_RESOURCE_DEPTH. */
const deepest = 100;

/** A constraint whose JSON is longer is not kept: it counts as unknown. */
const longestConstraint = 1024;

/** In place of a constraint that is not kept: no scheduler has this operator, so any node may match. */
export const unknownConstraint = { unknown: [] };

/** Whatever the jobspec lacks is 1: a scheduler refuses such a job. */
export function needOf(jobspec: unknown): JobNeed {
  const found = { nodes: 0, factor: 1, slots: 1, cores: 1, gpus: 0, exclusive: false };
  const walk = (resources: unknown, factor: number, depth: number) => {
    if (!Array.isArray(resources) || depth > deepest) return;
    for (const resource of resources.map(asObject)) {
      const count = leastCount(resource.count);
      const { type } = resource;
      if (type === 'node') Object.assign(found, { nodes: count, factor });
      if (type === 'slot') found.slots = count;
      if (type === 'core') found.cores = count;
      if (type === 'gpu') found.gpus = count;
      if (type === 'node' || type === 'slot') found.exclusive ||= resource.exclusive === true;
      walk(resource.with, type === 'node' ? factor : factor * count, depth + 1);
    }
  };
  const { resources, attributes } = asObject(jobspec);
  walk(resources, 1, 0);
  const { nodes, factor, slots, cores, gpus, exclusive } = found;
  const system = asObject(asObject(attributes).system);
  // Exclusive slots without nodes take a node each.
  const counts = exclusive && nodes === 0 ? { nodes: slots, slots: 1 } : { nodes: nodes * factor, slots };
  return { ...counts, cores, gpus, exclusive, ...placeOf(system) };
}

/** The same after an event jobspec-update (RFC 21): the keys are paths into the jobspec. */
export function updateNeed(need: JobNeed, updates: Readonly<Record<string, unknown>>): JobNeed {
  const path = (name: string) => {
    const key = `attributes.system.${name}`;
    return key in updates ? { [name]: updates[key] } : {};
  };
  return {
    ...need,
    ...placeOf({ queue: need.queue, constraints: need.constraint, ...path('queue'), ...path('constraints') }),
  };
}

function placeOf({
  queue,
  constraints,
}: Readonly<Record<string, unknown>>): Pick<JobNeed, 'constraint' | 'queue'> {
  const isNone =
    constraints === undefined || constraints === null || Object.keys(asObject(constraints)).length === 0;
  const isKept = isNone || JSON.stringify(constraints).length <= longestConstraint;
  return {
    constraint: isNone ? undefined : isKept ? constraints : unknownConstraint,
    queue: typeof queue === 'string' ? queue : undefined,
  };
}

/** Two needs of the same shape have the same text. */
export const shapeOf = ({ nodes, slots, cores, gpus, exclusive, constraint, queue }: JobNeed): string =>
  JSON.stringify([nodes, slots, cores, gpus, exclusive, constraint, queue]);

/** RFC 14 and RFC 45: a number, `{ min, max, operator, operand }`, `2-8:2:*`, `2+` or an idset. */
function leastCount(count: unknown): number {
  const least =
    typeof count === 'string'
      ? Number(/^\[?(\d{1,9})/.exec(count.trim())?.[1])
      : typeof count === 'number'
        ? count
        : asObject(count).min;
  return typeof least === 'number' && Number.isSafeInteger(least) && least > 0
    ? Math.min(least, mostCounted)
    : 1;
}

/** Products of counts stay exact. */
const mostCounted = 2 ** 24;

const asObject = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
