import { useState } from 'preact/hooks';
import { ask, type Submitted, sentenceOf } from './ask.ts';
import { readEnvironment } from './environment.ts';

const empty = {
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
type Form = typeof empty;

const whole = (text: string) => (text.trim() === '' ? undefined : Number(text));
const given = (text: string) => (text.trim() === '' ? undefined : text.trim());
/** What the form says, as the API takes it; what is empty is left to the API. */
function jobOf(form: Form) {
  const environment = readEnvironment(form.environment);
  const job = {
    command: form.command,
    name: given(form.name),
    nodes: whole(form.nodes),
    tasks: whole(form.tasks),
    coresPerTask: whole(form.coresPerTask),
    gpusPerTask: whole(form.gpusPerTask),
    duration: given(form.duration),
    cwd: given(form.cwd),
    environment: Object.keys(environment).length > 0 ? environment : undefined,
    dependencies: form.dependencies.trim() === '' ? undefined : form.dependencies.trim().split(/[\s,]+/),
    urgency: whole(form.urgency),
  };
  return Object.fromEntries(Object.entries(job).filter(([, value]) => value !== undefined));
}

export function SubmitView() {
  const [form, setForm] = useState(empty);
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const { id } = await ask<Submitted>('POST', '/v1/jobs', jobOf(form));
      location.hash = `#/jobs/${id}`;
    } catch (reason) {
      setError(sentenceOf(reason));
      setBusy(false);
    }
  };
  const field = (name: keyof Form) => ({
    name,
    value: form[name],
    onInput: (event: { readonly currentTarget: { readonly value: string } }) =>
      setForm({ ...form, [name]: event.currentTarget.value }),
  });
  const numeric = { type: 'number', inputMode: 'numeric', step: 1 } as const;
  return (
    <section aria-labelledby="submit-title">
      <h2 id="submit-title">Submit a job</h2>
      <form onSubmit={submit} class="panel submit">
        <label class="field all">
          <span>Command, a line for sh</span>
          <textarea rows={3} required spellcheck={false} {...field('command')} />
        </label>
        <label class="field">
          <span>Nodes</span>
          <input {...numeric} min={1} placeholder="any" {...field('nodes')} />
        </label>
        <label class="field">
          <span>Tasks</span>
          <input {...numeric} min={1} placeholder="1, or 1 a node" {...field('tasks')} />
        </label>
        <label class="field">
          <span>Cores per task</span>
          <input {...numeric} min={1} placeholder="1" {...field('coresPerTask')} />
        </label>
        <label class="field">
          <span>GPUs per task</span>
          <input {...numeric} min={0} placeholder="0" {...field('gpusPerTask')} />
        </label>
        <label class="field">
          <span>Time limit</span>
          <input placeholder="none, or 90s, 10m, 1.5h" {...field('duration')} />
        </label>
        <label class="field">
          <span>Name</span>
          <input placeholder="the program’s" {...field('name')} />
        </label>
        <label class="field">
          <span>Urgency, 0 holds</span>
          <input {...numeric} min={0} max={31} {...field('urgency')} />
        </label>
        <label class="field">
          <span>Working directory</span>
          <input placeholder="the pod’s" {...field('cwd')} />
        </label>
        <label class="field all">
          <span>Dependencies</span>
          <input placeholder="afterok:f2qx7SvB afterany:f3…" {...field('dependencies')} />
        </label>
        <label class="field all">
          <span>Environment, NAME=VALUE a line</span>
          <textarea rows={2} spellcheck={false} {...field('environment')} />
        </label>
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
