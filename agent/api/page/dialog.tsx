import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { sentenceOf } from './api-client.ts';

export interface ConfirmProps {
  readonly title: string;
  /** What the button says that does it. */
  readonly verb: string;
  /** To be typed before the button works. */
  readonly typed?: string;
  /** What the button says that does nothing. */
  readonly otherwise?: string;
  readonly children: ComponentChildren;
  readonly act: () => Promise<unknown>;
  readonly onClose: () => void;
}

/** Asks before something is done that cannot be undone. Escape and the first button do nothing. */
export function Confirm({ title, verb, typed, otherwise = 'Keep it', children, act, onClose }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState('');
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  // A dialog that is closed, and not only removed, gives back the focus. Its event then removes it.
  const close = () => dialog.current?.close();
  const confirm = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await act();
      close();
    } catch (reason) {
      setError(sentenceOf(reason));
    } finally {
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="confirm-title">
      <form onSubmit={confirm}>
        <h2 id="confirm-title">{title}</h2>
        {children}
        {typed !== undefined && (
          <label class="field">
            <span>
              Type <b>{typed}</b> to confirm
            </span>
            <input value={text} onInput={(event) => setText(event.currentTarget.value)} autocomplete="off" />
          </label>
        )}
        <p class="error" role="alert">
          {error}
        </p>
        <div class="actions">
          <button type="button" onClick={close}>
            {otherwise}
          </button>
          <button type="submit" class="danger" disabled={busy || (typed !== undefined && text !== typed)}>
            {verb}
          </button>
        </div>
      </form>
    </dialog>
  );
}
