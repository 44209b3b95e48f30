import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ask, type Session, sentenceOf } from '../api-client.ts';

/** The token goes to the API once, and comes back as a cookie that no script can read. */
export function SignIn({ onSession }: { readonly onSession: (session: Session) => void }) {
  const [token, setToken] = useState('');
  const [error, setError] = useState('');
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);
  const signIn = async (event: Event) => {
    event.preventDefault();
    try {
      onSession(await ask<Session>('POST', '/v1/session', { token }));
    } catch (reason) {
      setError(sentenceOf(reason));
    }
  };
  return (
    <main class="sign-in">
      <h1>flux-pod</h1>
      <form onSubmit={signIn} class="panel">
        <label class="field">
          <span>Token</span>
          <input
            ref={field}
            type="password"
            name="token"
            autocomplete="current-password"
            required
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
            aria-describedby="token-help"
          />
        </label>
        <div id="token-help" class="quiet">
          <p>
            A line of the file <code>write</code> (to change things) or <code>read</code> (to look) of the
            Secret that is mounted at FLUX_POD_API_TOKENS. Where it is called <code>flux-api</code>:
          </p>
          <pre class="command">{"kubectl get secret flux-api -o jsonpath='{.data.write}' | base64 -d"}</pre>
        </div>
        <p class="error" role="alert">
          {error}
        </p>
        <button type="submit" class="primary">
          Sign in
        </button>
      </form>
    </main>
  );
}
