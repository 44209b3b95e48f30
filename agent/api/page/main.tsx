/** The web page: the session, the current view, and the frame around it. */
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ask, get, onSignedOut, type Session } from './api-client.ts';
import { Confirm } from './dialog.tsx';
import { useLive } from './live.ts';
import { Title, useKeptFocus } from './title.tsx';
import { JobView } from './views/job-view.tsx';
import { JobsView } from './views/jobs-view.tsx';
import { Utilisation } from './views/load-view.tsx';
import { NodesView } from './views/nodes-view.tsx';
import { SignIn } from './views/sign-in-view.tsx';
import { SubmitView } from './views/submit-view.tsx';

const views = { jobs: 'Jobs', submit: 'Submit', nodes: 'Nodes', load: 'Load' } as const;

/** `#/jobs/f123` as `['jobs', 'f123']`. */
const placeOf = (): string[] => location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);

function usePlace(): string[] {
  const [place, setPlace] = useState(placeOf);
  useEffect(() => {
    const follow = () => setPlace(placeOf());
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return place;
}

function App() {
  const [session, setSession] = useState<Session | undefined | 'unknown'>('unknown');
  useEffect(() => {
    onSignedOut(() => setSession(undefined));
    get<Session>('/v1/session').then(setSession, () => setSession(undefined));
  }, []);
  if (session === 'unknown') return <main aria-busy="true" />;
  if (!session) return <SignIn onSession={setSession} />;
  return <Frame session={session} onSignOut={() => setSession(undefined)} />;
}

function Frame({ session, onSignOut }: { readonly session: Session; readonly onSignOut: () => void }) {
  const [view = 'jobs', id] = usePlace();
  const [asking, setAsking] = useState(false);
  const [down, setDown] = useState(false);
  const live = useLive(down);
  useKeptFocus();
  const mayWrite = session.role === 'write';
  useEffect(() => {
    document.title = `${session.cluster}: ${views[view as keyof typeof views] ?? 'Jobs'} (flux-pod)`;
  }, [view, session.cluster]);
  const signOut = async () => {
    await ask('DELETE', '/v1/session').catch(() => undefined);
    onSignOut();
  };
  if (live.ended) return <Ended cluster={session.cluster} />;
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the content
      </button>
      <header>
        <h1>{session.cluster}</h1>
        <nav aria-label="Views">
          {Object.entries(views)
            .filter(([name]) => mayWrite || name !== 'submit')
            .map(([name, title]) => (
              <a href={`#/${name}`} aria-current={(view || 'jobs') === name ? 'page' : undefined} key={name}>
                {title}
              </a>
            ))}
        </nav>
        <span class={live.connected ? 'live' : 'live off'} role="status">
          {down ? 'shutting down' : live.connected ? 'live' : 'not connected'}
        </span>
        {mayWrite && (
          <button type="button" class="danger" onClick={() => setAsking(true)} disabled={down}>
            Bring down
          </button>
        )}
        {session.signedIn && (
          <button type="button" onClick={signOut}>
            Sign out
          </button>
        )}
      </header>
      <main id="main" tabIndex={-1}>
        {down && (
          <p class="notice" role="status">
            The MiniCluster shuts down: jobs are cancelled, and its pods end.
          </p>
        )}
        {view === 'submit' && mayWrite ? (
          <SubmitView from={id} key={id} />
        ) : view === 'nodes' ? (
          <NodesView live={live} mayWrite={mayWrite} />
        ) : view === 'load' ? (
          <Utilisation samples={live.samples} />
        ) : id ? (
          <JobView id={id} live={live} mayWrite={mayWrite} key={id} />
        ) : (
          <JobsView live={live} mayWrite={mayWrite} />
        )}
      </main>
      <footer>
        flux-pod {session.version} · <a href="/v1/docs">REST API</a> · jobs run as the owner of the instance
      </footer>
      {asking && (
        <Confirm
          title={`Bring ${session.cluster} down?`}
          verb="Bring it down"
          typed={session.cluster}
          act={async () => {
            await ask('POST', '/v1/shutdown', { confirm: session.cluster });
            setDown(true);
          }}
          onClose={() => setAsking(false)}
        >
          <p>Jobs that run are cancelled, jobs that wait are lost, and all pods of the MiniCluster end.</p>
        </Confirm>
      )}
    </>
  );
}

/** The page sends no further requests: there are no views and no streams. */
function Ended({ cluster }: { readonly cluster: string }) {
  return (
    <>
      <header>
        <h1>{cluster}</h1>
      </header>
      <main>
        <Title id="ended-title">The MiniCluster has ended</Title>
        <p>Its leader does not answer, and this page sends no further requests.</p>
        <button type="button" onClick={() => location.reload()}>
          Reload
        </button>
      </main>
    </>
  );
}

const place = document.getElementById('page');
if (place) render(<App />, place);
