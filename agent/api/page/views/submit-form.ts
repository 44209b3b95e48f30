/** The form of a job: to a request, from the jobspec of an earlier job, and with the faults of an answer. Data in, data out. */
import { nameOfLine } from '../../../jobs/job-name.ts';
import { commandText } from '../command-text.ts';
import { readEnvironment } from './form-environment.ts';

export const emptyForm = {
  command: '',
  name: '',
  nodes: '',
  tasks: '',
  coresPerTask: '',
  gpusPerTask: '',
  duration: '',
  cwd: '',
  environment: '',
  dependencies: '',
  urgency: '16',
};
export type Form = typeof emptyForm;

/** Fields of an earlier job that the form does not have. */
export interface Kept {
  readonly queue?: string;
  readonly options?: object;
  readonly exclusive?: boolean;
}

const whole = (text: string) => (text.trim() === '' ? undefined : Number(text));
const given = (text: string) => (text.trim() === '' ? undefined : text.trim());

/** The request for a form; empty fields are left out. Throws an Error that names a line without a variable. */
export function jobOf(form: Form, { exclusive, ...kept }: Kept = {}) {
  const environment = readEnvironment(form.environment);
  const job = {
    ...kept,
    command: form.command,
    name: given(form.name),
    nodes: whole(form.nodes),
    tasks: whole(form.tasks),
    coresPerTask: whole(form.coresPerTask),
    gpusPerTask: whole(form.gpusPerTask),
    duration: given(form.duration),
    cwd: given(form.cwd),
    environment: Object.keys(environment).length > 0 ? environment : undefined,
    dependencies: given(form.dependencies)?.split(/[\s,]+/),
    urgency: whole(form.urgency),
    exclusive: exclusive && given(form.nodes) !== undefined ? true : undefined,
  };
  return Object.fromEntries(Object.entries(job).filter(([, value]) => value !== undefined));
}

interface Resource {
  readonly type: string;
  readonly count: unknown;
  readonly exclusive?: boolean;
  readonly with?: readonly Resource[];
}

/** The parts of a jobspec (RFC 14, RFC 25) that the form has. Flux keeps no environment in it (job-ingest.c). */
export interface Jobspec {
  readonly resources: readonly Resource[];
  readonly tasks: readonly {
    readonly command: readonly string[];
    readonly count: { readonly per_slot?: number; readonly total?: number };
  }[];
  readonly attributes?: {
    readonly system?: {
      readonly duration?: number;
      readonly cwd?: string;
      readonly job?: { readonly name?: string };
      readonly queue?: string;
      readonly dependencies?: readonly Readonly<Record<string, string>>[];
      readonly shell?: { readonly options?: object };
    };
  };
}

/** The form for the same job again; undefined where the form cannot express the jobspec. */
export function formOf(
  jobspec: Jobspec,
  urgency: number = 16,
): { readonly form: Form; readonly kept: Kept } | undefined {
  const [task, ...furtherTasks] = jobspec.tasks;
  const [outer, ...furtherResources] = jobspec.resources;
  if (!task || !outer || furtherTasks.length > 0 || furtherResources.length > 0) return undefined;
  const node = outer.type === 'node' ? outer : undefined;
  const slot = node ? node.with?.[0] : outer;
  const counts = [...(node ? [node] : []), ...(slot ? [slot, ...(slot.with ?? [])] : [])].map(
    ({ count }) => count,
  );
  const { per_slot, total } = task.count;
  if (slot?.type !== 'slot' || counts.some((count) => typeof count !== 'number')) return undefined;
  if (total === undefined && per_slot !== 1) return undefined;
  const of = (type: string) => slot.with?.find((each) => each.type === type)?.count;
  const { duration, cwd, job, queue, dependencies, shell } = jobspec.attributes?.system ?? {};
  const command = commandText(task.command);
  const form = {
    ...emptyForm,
    command,
    // A name that follows from the command stays empty.
    name: job?.name === undefined || job.name === nameOfLine(command) ? '' : job.name,
    nodes: String(node?.count ?? ''),
    tasks: String(total ?? Number(node?.count ?? 1) * Number(slot.count)),
    coresPerTask: String(of('core') ?? ''),
    gpusPerTask: String(of('gpu') ?? ''),
    duration: duration ? `${duration}s` : '',
    cwd: cwd ?? '',
    dependencies: (dependencies ?? []).map(dependencyText).join(' '),
    urgency: String(urgency),
  };
  const exclusive = node?.exclusive;
  const options = shell?.options;
  return {
    form,
    kept: {
      ...(queue !== undefined && { queue }),
      ...(options && { options }),
      ...(exclusive && { exclusive }),
    },
  };
}

/** `SCHEME:VALUE[?KEY=VALUE&...]` (RFC 26). */
function dependencyText({ scheme, value, ...more }: Readonly<Record<string, string>>): string {
  const options = new URLSearchParams(more).toString();
  return `${scheme}:${value}${options && `?${options}`}`;
}

interface Fault {
  readonly where: string;
  readonly what: string;
}

/** Faults by field; those of no field are `other`. */
export function faultsByField(faults: readonly Fault[]): {
  readonly fields: Partial<Record<keyof Form, string>>;
  readonly other: readonly Fault[];
} {
  const fields: Partial<Record<keyof Form, string>> = {};
  const other: Fault[] = [];
  for (const fault of faults) {
    const [name = '', ...inner] = fault.where.replace(/^\//, '').split('/');
    if (!Object.hasOwn(emptyForm, name)) {
      other.push(fault);
      continue;
    }
    // The place in a list counts from 0 in the API, and from 1 for people.
    const places = inner.map((part) => (/^\d+$/.test(part) ? `no. ${Number(part) + 1}` : part));
    const text = [...places, fault.what].join(': ');
    const before = fields[name as keyof Form];
    fields[name as keyof Form] = before === undefined ? text : `${before}; ${text}`;
  }
  return { fields, other };
}
