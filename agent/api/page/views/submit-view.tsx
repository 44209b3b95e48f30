import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ask, get, type Job, Refusal, type Submitted, sentenceOf } from '../api-client.ts';
import { Title } from '../title.tsx';
import {
  emptyForm,
  type Form,
  faultsByField,
  formOf,
  type Jobspec,
  jobOf,
  type Kept,
} from './submit-form.ts';

type Faults = ReturnType<typeof faultsByField>['fields'];

/** Submits a job; `from` is the id of one that the form begins with. */
export function SubmitView({ from }: { readonly from: string | undefined }) {
  const [form, setForm] = useState(emptyForm);
  const [kept, setKept] = useState<Kept>({});
  const [faults, setFaults] = useState<Faults>({});
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const place = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (from === undefined) return;
    const path = `/v1/jobs/${encodeURIComponent(from)}`;
    Promise.all([get<Job>(path), get<Jobspec>(`${path}/jobspec`)])
      .then(([job, jobspec]) => {
        const again = formOf(jobspec, job.urgency);
        if (!again) return setError(`This form has no fields for all of the jobspec of ${from}.`);
        setForm(again.form);
        setKept(again.kept);
      })
      .catch((reason) => setError(sentenceOf(reason)));
  }, [from]);
  // In the same frame as the messages, before a key can be pressed.
  useLayoutEffect(() => {
    place.current?.querySelector<HTMLElement>('[aria-invalid]')?.focus();
  }, [faults]);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const { id } = await ask<Submitted>('POST', '/v1/jobs', jobOf(form, kept));
      location.hash = `#/jobs/${id}`;
    } catch (reason) {
      const { fields, other } = faultsByField(reason instanceof Refusal ? reason.errors : []);
      setFaults(fields);
      const isSaid = Object.keys(fields).length > 0 && other.length === 0;
      setError(isSaid ? 'Nothing was submitted.' : sentenceOf(reason));
      setBusy(false);
    }
  };
  const field = (name: keyof Form) => ({
    name,
    value: form[name],
    onInput: (event: { readonly currentTarget: { readonly value: string } }) => {
      setForm({ ...form, [name]: event.currentTarget.value });
    },
    ...(faults[name] !== undefined && { 'aria-invalid': true, 'aria-describedby': `wrong-${name}` }),
  });
  const fault = (name: keyof Form) =>
    faults[name] !== undefined && (
      <p id={`wrong-${name}`} class="error">
        {faults[name]}
      </p>
    );
  const numeric = { type: 'number', inputMode: 'numeric', step: 1 } as const;
  return (
    <section aria-labelledby="submit-title">
      <Title id="submit-title">Submit a job</Title>
      <form onSubmit={submit} class="panel submit" ref={place}>
        {from !== undefined && <KeptNote from={from} kept={kept} />}
        <Field label="Command, a line for sh" all fault={fault('command')}>
          <textarea rows={3} required spellcheck={false} {...field('command')} />
        </Field>
        <Field label="Nodes" fault={fault('nodes')}>
          <input {...numeric} min={1} placeholder="any" {...field('nodes')} />
        </Field>
        <Field label="Tasks" fault={fault('tasks')}>
          <input {...numeric} min={1} placeholder="1, or 1 a node" {...field('tasks')} />
        </Field>
        <Field label="Cores per task" fault={fault('coresPerTask')}>
          <input {...numeric} min={1} placeholder="1" {...field('coresPerTask')} />
        </Field>
        <Field label="GPUs per task" fault={fault('gpusPerTask')}>
          <input {...numeric} min={0} placeholder="0" {...field('gpusPerTask')} />
        </Field>
        <Field label="Time limit" fault={fault('duration')}>
          <input placeholder="none, or 90s, 10m, 1.5h" {...field('duration')} />
        </Field>
        <Field label="Name" fault={fault('name')}>
          <input placeholder="the program’s" {...field('name')} />
        </Field>
        <Field label="Urgency, 0 holds" fault={fault('urgency')}>
          <input {...numeric} min={0} max={31} {...field('urgency')} />
        </Field>
        <Field label="Working directory" fault={fault('cwd')}>
          <input placeholder="the pod’s" {...field('cwd')} />
        </Field>
        <Field label="Dependencies" all fault={fault('dependencies')}>
          <input placeholder="afterok:f2qx7SvB afterany:f3…" {...field('dependencies')} />
        </Field>
        <Field label="Environment, NAME=VALUE a line" all fault={fault('environment')}>
          <textarea rows={2} spellcheck={false} {...field('environment')} />
        </Field>
        <p class="error all" role="alert">
          {error}
        </p>
        <button type="submit" class="primary" disabled={busy}>
          Submit
        </button>
      </form>
    </section>
  );
}

interface FieldProps {
  readonly label: string;
  /** As wide as the form. */
  readonly all?: boolean;
  readonly fault: ComponentChildren;
  readonly children: ComponentChildren;
}

function Field({ label, all = false, fault, children }: FieldProps) {
  return (
    <div class={all ? 'all' : undefined}>
      {/* biome-ignore lint/a11y/noLabelWithoutControl: the control is the child. */}
      <label class="field">
        <span>{label}</span>
        {children}
      </label>
      {fault}
    </div>
  );
}

/** Fields of the earlier job that the form does not show. */
function KeptNote({ from, kept }: { readonly from: string; readonly kept: Kept }) {
  const { queue, options, exclusive } = kept;
  const parts = [
    queue !== undefined && `the queue ${queue}`,
    options && `shell options (${Object.keys(options).join(', ')})`,
    exclusive && 'whole nodes',
  ].filter(Boolean);
  return (
    <p class="quiet all kept">
      As job <a href={`#/jobs/${from}`}>{from}</a>
      {parts.length > 0 && `, with ${parts.join(', ')}`}. Flux keeps no environment of a job: variables that
      it had must be entered again.
    </p>
  );
}
