/** One job: its facts, its timeline, its output. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ask, type Eventlog, get, type Job, sentenceOf } from '../api-client.ts';
import { commandText } from '../command-text.ts';
import { duration, elapsed, moment, plural } from '../format.ts';
import { type Live, useRefresh } from '../live.ts';
import { useLeaderNow } from '../ticks.ts';
import { Title } from '../title.tsx';
import { Output } from './job-output.tsx';
import { Badge, CancelDialog, isActive, RunTime } from './jobs-view.tsx';
import type { Jobspec } from './submit-form.ts';

export function JobView(props: { readonly id: string; readonly live: Live; readonly mayWrite: boolean }) {
  const { id, live, mayWrite } = props;
  const [job, setJob] = useState<Job>();
  const [jobspec, setJobspec] = useState<Jobspec>();
  const [events, setEvents] = useState<Eventlog['events']>([]);
  const [error, setError] = useState('');
  const [cancelling, setCancelling] = useState(false);
  const load = async () => {
    try {
      const path = `/v1/jobs/${encodeURIComponent(id)}`;
      const [found, log] = await Promise.all([get<Job>(path), get<Eventlog>(`${path}/events`)]);
      setJob(found);
      setEvents(log.events);
      setError('');
    } catch (reason) {
      setError(sentenceOf(reason));
    }
  };
  useEffect(() => {
    void load();
    get<Jobspec>(`/v1/jobs/${encodeURIComponent(id)}/jobspec`).then(setJobspec, () => undefined);
  }, [id]);
  useRefresh(load, [live.jobsChanged], 200);
  if (!job)
    return (
      <p class="error" role="alert">
        {error}
      </p>
    );
  return (
    <section aria-labelledby="job-title">
      <p>
        <a href="#/jobs">← Jobs</a>
      </p>
      <Title id="job-title">
        {job.name} <small>{job.id}</small> <Badge job={job} />
      </Title>
      {jobspec && <pre class="command">{commandText(jobspec.tasks[0]?.command ?? [])}</pre>}
      <p class="error" role="alert">
        {error}
      </p>
      {job.exception && (
        <p class="notice">
          <b>{job.exception.type}</b> {job.exception.note}
        </p>
      )}
      {job.unfit !== undefined && (
        <p class="notice">
          <b>This job can never run</b> {job.unfit}
        </p>
      )}
      {mayWrite && (
        <div class="toolbar">
          {isActive(job) && <Actions job={job} onCancel={() => setCancelling(true)} />}
          <a class="button" href={`#/submit/${job.id}`}>
            Submit again
          </a>
        </div>
      )}
      <dl class="facts">
        <Fact name="Tasks" value={job.ntasks} />
        <Fact name="Nodes" value={job.nnodes} />
        <Fact name="Cores" value={job.ncores} />
        <Fact name="Hosts" value={job.nodelist} />
        <Fact name="Submitted" value={job.t_submit && moment(job.t_submit)} />
        <Fact name="Run time" value={job.runtime !== undefined && <RunTime job={job} />} />
        <Fact name="Time limit" value={job.duration ? duration(job.duration) : 'none'} />
        <Fact name="Urgency" value={job.urgency} />
        <Fact name="Exit code" value={job.returncode} />
        <Fact name="Directory" value={job.cwd} />
        <Fact name="Waits for" value={job.dependencies?.join(', ')} />
      </dl>
      <Timeline job={job} events={events} />
      <Output id={job.id} />
      {cancelling && <CancelDialog job={job} onClose={() => setCancelling(false)} />}
    </section>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: ComponentChildren }) {
  if (value === undefined || value === false || value === '') return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

const signals = ['SIGUSR1', 'SIGUSR2', 'SIGINT', 'SIGTERM', 'SIGSTOP', 'SIGCONT', 'SIGKILL'];

function Actions({ job, onCancel }: { readonly job: Job; readonly onCancel: () => void }) {
  const [signal, setSignal] = useState('SIGTERM');
  const [urgency, setUrgency] = useState(String(job.urgency ?? 16));
  const [message, setMessage] = useState('');
  const change = async (act: () => Promise<{ Message: string }>) => {
    try {
      setMessage((await act()).Message);
    } catch (reason) {
      setMessage(sentenceOf(reason));
    }
  };
  const path = `/v1/jobs/${job.id}`;
  return (
    <>
      <button type="button" class="danger" onClick={onCancel}>
        Cancel
      </button>
      {job.state === 'RUN' ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void change(() => ask('POST', `${path}/signal`, { signal }));
          }}
        >
          <select
            aria-label="Signal"
            value={signal}
            onChange={(event) => setSignal(event.currentTarget.value)}
          >
            {signals.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
          <button type="submit">Send</button>
        </form>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void change(() => ask('PUT', `${path}/urgency`, { urgency: Number(urgency) }));
          }}
        >
          <input
            type="number"
            min="0"
            max="31"
            aria-label="Urgency, 0 to 31"
            value={urgency}
            onInput={(event) => setUrgency(event.currentTarget.value)}
          />
          <button type="submit">Set urgency</button>
        </form>
      )}
      <span role="status">{message}</span>
    </>
  );
}

/** States of a job's life, from the first to the last. */
const phases = [
  ['depend', 't_depend'],
  ['priority', 't_priority'],
  ['sched', 't_sched'],
  ['run', 't_run'],
  ['cleanup', 't_cleanup'],
  ['inactive', 't_inactive'],
] as const;

function Timeline({ job, events }: { readonly job: Job; readonly events: Eventlog['events'] }) {
  const began = job.t_submit ?? events[0]?.timestamp;
  const now = useLeaderNow(isActive(job));
  if (began === undefined) return null;
  const times = phases.flatMap(([name, key]) => (job[key] === undefined ? [] : [{ name, at: job[key] }]));
  const bars = times
    .map(({ name, at }, place) => {
      const next = times[place + 1]?.at;
      return { name, seconds: (next ?? now) - at, moves: next === undefined };
    })
    .filter(({ name }) => name !== 'inactive');
  const total = Math.max(
    bars.reduce((sum, { seconds }) => sum + seconds, 0),
    1e-6,
  );
  const shown = bars.filter(({ seconds }) => seconds / total > 0.001);
  return (
    <section aria-labelledby="timeline-title" class="panel">
      <h3 id="timeline-title">Timeline</h3>
      <div class="bar" aria-hidden="true">
        {shown.map(({ name, seconds }) => (
          <span
            key={name}
            class={`part ${name}`}
            style={{ flexGrow: Math.max(0.01, seconds / total) }}
            title={name}
          />
        ))}
      </div>
      <p class="quiet">
        {bars
          .map(({ name, seconds, moves }) => `${name} ${(moves ? elapsed : duration)(Math.max(0, seconds))}`)
          .join(' · ')}
      </p>
      <details>
        <summary>{plural(events.length, 'event')}</summary>
        <ol class="events">
          {events.map(({ name, timestamp, context }, place) => (
            <li key={place}>
              <time>+{duration(Math.max(0, timestamp - began))}</time> <b>{name}</b>{' '}
              <code>{context ? JSON.stringify(context) : ''}</code>
            </li>
          ))}
        </ol>
      </details>
    </section>
  );
}
