/** All jobs: a table that keeps itself up to date. */
import { useEffect, useState } from 'preact/hooks';
import { ask, get, type Job, type Jobs, sentenceOf } from '../api-client.ts';
import { Confirm } from '../dialog.tsx';
import { moment } from '../format.ts';
import { type Live, useRefresh } from '../live.ts';
import { isRunning, runTimeText } from '../run-time.ts';
import { useLeaderNow } from '../ticks.ts';
import { Title } from '../title.tsx';

const filters = {
  all: {},
  active: { state: 'ACTIVE' },
  pending: { state: 'PENDING' },
  running: { state: 'RUNNING' },
  completed: { result: 'COMPLETED' },
  failed: { result: 'FAILED,CANCELED,TIMEOUT' },
} as const;
type Filter = keyof typeof filters;

const pageSize = 50;

export function Badge({ job }: { readonly job: Job }) {
  const word = job.result ?? job.state ?? 'NEW';
  return <span class={`badge ${word.toLowerCase()}`}>{word.toLowerCase()}</span>;
}

export function RunTime({ job }: { readonly job: Job }) {
  return <>{runTimeText(job, useLeaderNow(isRunning(job)))}</>;
}

export const isActive = ({ state }: Job): boolean => state !== 'INACTIVE';

export function JobsView({ live, mayWrite }: { readonly live: Live; readonly mayWrite: boolean }) {
  const [filter, setFilter] = useState<Filter>('all');
  const [search, setSearch] = useState('');
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const [page, setPage] = useState<Jobs>();
  const [error, setError] = useState('');
  const [cancelling, setCancelling] = useState<Job>();
  const cursor = cursors.at(-1);

  const load = async () => {
    const query = new URLSearchParams({ limit: String(pageSize), ...filters[filter] });
    if (search.trim() !== '') query.set('search', search.trim());
    if (cursor !== undefined) query.set('cursor', cursor);
    try {
      setPage(await get<Jobs>(`/v1/jobs?${query}`));
      setError('');
    } catch (reason) {
      setError(sentenceOf(reason));
    }
  };
  useEffect(() => {
    void load();
  }, [filter, cursor]);
  useRefresh(load, [search, live.jobsChanged], 300);

  const restart = (change: () => void) => {
    setCursors([]);
    change();
  };
  return (
    <section aria-labelledby="jobs-title">
      <Title id="jobs-title">Jobs</Title>
      <div class="toolbar">
        <fieldset class="filters">
          <legend class="hidden">Which jobs</legend>
          {(Object.keys(filters) as Filter[]).map((name) => (
            <label key={name}>
              <input
                type="radio"
                name="filter"
                checked={filter === name}
                onChange={() => restart(() => setFilter(name))}
              />
              <span>{name}</span>
            </label>
          ))}
        </fieldset>
        <input
          type="search"
          placeholder="id, name, queue or host"
          aria-label="Search jobs"
          value={search}
          onInput={(event) => {
            const { value } = event.currentTarget;
            restart(() => setSearch(value));
          }}
        />
      </div>
      <p class="error" role="alert">
        {error}
      </p>
      <section class="scroll" aria-label="Table of jobs">
        <table>
          <thead>
            <tr>
              <th scope="col">Job</th>
              <th scope="col">Name</th>
              <th scope="col">State</th>
              <th scope="col" class="number wide">
                Tasks
              </th>
              <th scope="col" class="number wide">
                Nodes
              </th>
              <th scope="col" class="number roomy">
                Time
              </th>
              <th scope="col" class="wide">
                Hosts
              </th>
              <th scope="col" class="wide">
                Submitted
              </th>
              {mayWrite && (
                <th scope="col">
                  <span class="hidden">Action</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {page?.jobs.map((job) => (
              <Row job={job} key={job.id} onCancel={mayWrite ? () => setCancelling(job) : undefined} />
            ))}
          </tbody>
        </table>
      </section>
      {page && page.jobs.length === 0 && <p class="quiet">No job matches.</p>}
      <div class="pager">
        <button
          type="button"
          disabled={cursors.length === 0}
          onClick={() => setCursors(cursors.slice(0, -1))}
        >
          Newer
        </button>
        <button
          type="button"
          disabled={page?.next === undefined}
          onClick={() => page?.next !== undefined && setCursors([...cursors, page.next])}
        >
          Older
        </button>
      </div>
      {cancelling && <CancelDialog job={cancelling} onClose={() => setCancelling(undefined)} />}
    </section>
  );
}

function Row({ job, onCancel }: { readonly job: Job; readonly onCancel: (() => void) | undefined }) {
  return (
    <tr>
      <th scope="row">
        <a href={`#/jobs/${job.id}`}>{job.id}</a>
      </th>
      <td class="name">{job.name}</td>
      <td>
        <Badge job={job} />
      </td>
      <td class="number wide">{job.ntasks}</td>
      <td class="number wide">{job.nnodes}</td>
      <td class="number roomy">
        <RunTime job={job} />
      </td>
      <td class="wide name">{job.nodelist}</td>
      <td class="wide">{job.t_submit === undefined ? '' : moment(job.t_submit)}</td>
      {onCancel && (
        <td>
          {isActive(job) && (
            <button type="button" class="small" onClick={onCancel} aria-label={`Cancel job ${job.id}`}>
              Cancel
            </button>
          )}
        </td>
      )}
    </tr>
  );
}

export function CancelDialog({ job, onClose }: { readonly job: Job; readonly onClose: () => void }) {
  return (
    <Confirm
      title={`Cancel job ${job.id}?`}
      verb="Cancel the job"
      act={() => ask('POST', `/v1/jobs/${job.id}/cancel`, {})}
      onClose={onClose}
    >
      <p>
        {job.name}: {job.state === 'RUN' ? 'its tasks are killed.' : 'it will not run.'}
      </p>
    </Confirm>
  );
}
