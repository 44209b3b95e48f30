import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { sentenceOf } from './api-client.ts';

export interface ConfirmProps {
  readonly title: string;
  /** The label of the button that acts. */
  readonly verb: string;
  /** To be typed before the button works. */
  readonly typed?: string;
  /** The label of the button that closes the dialog. */
  readonly otherwise?: string;
  readonly children: ComponentChildren;
  readonly act: () => Promise<unknown>;
  readonly onClose: () => void;
}

/** Asks before an action that cannot be undone. Escape and the first button close the dialog. */
export function Confirm({ title, verb, typed, otherwise = 'Keep it', children, act, onClose }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState('');
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  // close() restores the focus, which removing the dialog does not; its event then removes it.
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
