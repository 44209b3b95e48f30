/** Jobspecs (RFC 14, RFC 25) as far as the stand-in runs them, and how a submission carries them (RFC 15). */
import { basename } from 'node:path';
import * as z from 'zod/mini';

interface Resource {
  readonly type: string;
  readonly count: number;
  readonly with?: readonly Resource[] | undefined;
}

const resource: z.ZodMiniType<Resource> = z.lazy(() =>
  z.object({ type: z.string(), count: z.int(), with: z.optional(z.array(resource)) }),
);
const jobspec = z.object({
  version: z.int(),
  resources: z.array(resource),
  tasks: z.array(
    z.object({
      command: z.array(z.string()).check(z.minLength(1)),
      count: z.object({ per_slot: z.optional(z.int()), total: z.optional(z.int()) }),
    }),
  ),
  attributes: z.object({
    system: z.looseObject({
      duration: z.number(),
      cwd: z._default(z.string(), '/'),
      environment: z._default(z.record(z.string(), z.string()), {}),
      job: z.optional(z.looseObject({ name: z.optional(z.string()) })),
    }),
  }),
});

export interface JobRequest {
  /** As it was submitted, without its environment, which Flux keeps apart. */
  readonly jobspec: string;
  readonly argv: readonly string[];
  readonly name: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly duration: number;
  /** Undefined where any number will do. */
  readonly nodes: number | undefined;
  readonly tasks: number;
  readonly coresPerTask: number;
}

/** The jobspec in a signed J. Throws an Error with Flux's own text. */
export function unwrap(J: unknown): object {
  const [, payload = '', mechanism, ...more] = String(J).split('.');
  try {
    if (mechanism !== 'none' || more.length > 0) throw new Error('not signed by none');
    return JSON.parse(Buffer.from(payload, 'base64').toString());
  } catch {
    throw new Error('could not unwrap jobspec: Invalid argument');
  }
}

/** Throws an Error that names what is wrong with it. */
export function readJobspec(given: object): JobRequest {
  for (const key of ['resources', 'tasks', 'attributes', 'version'])
    if (!(key in given)) throw new Error(`Missing key (${key})`);
  const reading = z.safeParse(jobspec, given);
  const [task] = reading.data?.tasks ?? [];
  if (!reading.success || !task)
    throw new Error(`Invalid jobspec: ${reading.error?.issues[0]?.path.join('.') ?? 'tasks'}`);
  const { resources, attributes } = reading.data;
  const { environment, ...system } = attributes.system;
  const count = (type: string) => countOf(resources, type);
  const slots = (count('node') ?? 1) * (count('slot') ?? 1);
  return {
    jobspec: JSON.stringify({ ...given, attributes: { ...attributes, system } }),
    argv: task.command,
    // flux-core src/modules/job-list/job_data.c, parse_job_name: attributes.system.job.name, else the command's last part.
    name: system.job?.name ?? basename(task.command[0] ?? ''),
    cwd: system.cwd,
    env: environment,
    duration: system.duration,
    nodes: count('node'),
    tasks: task.count.total ?? slots * (task.count.per_slot ?? 1),
    coresPerTask: count('core') ?? 1,
  };
}

/** The count of the first vertex of a type, wherever it is below. */
function countOf(resources: readonly Resource[], type: string): number | undefined {
  for (const one of resources) {
    const found = one.type === type ? one.count : countOf(one.with ?? [], type);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What `flux run -N NODES -n TASKS` asks for. */
export const makeJobspec = (
  { nodes, tasks = nodes ?? 1 }: { nodes?: number | undefined; tasks?: number | undefined },
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
) => {
  const core = { type: 'core', count: 1 };
  const slots = Math.ceil(tasks / (nodes ?? 1));
  const slot = { type: 'slot', count: slots, label: 'task', with: [core] };
  const whole = tasks === slots * (nodes ?? 1);
  return {
    version: 1,
    resources: nodes === undefined ? [slot] : [{ type: 'node', count: nodes, with: [slot] }],
    tasks: [{ command: argv, slot: 'task', count: whole ? { per_slot: 1 } : { total: tasks } }],
    attributes: { system: { duration: 0, cwd: process.cwd(), environment: env } },
  };
};
