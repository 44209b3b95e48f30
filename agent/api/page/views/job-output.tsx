/** The output of a job as it comes. It is inserted as text nodes, never as HTML. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Piece } from '../../../jobs/output.ts';

/** Pieces that are kept in the page. */
const mostPieces = 5000;

export function Output({ id }: { readonly id: string }) {
  const text = useRef<HTMLPreElement>(null);
  const [state, setState] = useState<'waiting' | 'following' | 'complete'>('waiting');
  const [follows, setFollows] = useState(true);
  const following = useRef(true);
  following.current = follows;

  useEffect(() => {
    const source = new EventSource(`/v1/jobs/${encodeURIComponent(id)}/output/stream`);
    source.addEventListener('output', (event) => {
      const { stream, data } = JSON.parse(event.data) as Piece;
      const place = text.current;
      if (!place) return;
      const piece = document.createElement('span');
      piece.className = stream;
      piece.textContent = data;
      place.append(piece);
      while (place.childElementCount > mostPieces) place.firstElementChild?.remove();
      if (following.current) place.scrollTop = place.scrollHeight;
      setState('following');
    });
    source.addEventListener('end', () => {
      source.close();
      setState('complete');
    });
    return () => source.close();
  }, [id]);

  return (
    <section aria-labelledby="output-title" class="panel">
      <h3 id="output-title">
        Output <small role="status">{state === 'waiting' ? 'none yet' : state}</small>
      </h3>
      <div class="toolbar">
        <label>
          <input
            type="checkbox"
            checked={follows}
            onChange={(event) => setFollows(event.currentTarget.checked)}
          />{' '}
          follow
        </label>
        <a href={`/v1/jobs/${encodeURIComponent(id)}/output?format=text`} download={`${id}.txt`}>
          Download
        </a>
      </div>
      <pre class="output" ref={text} role="log" aria-live="off" aria-labelledby="output-title" />
    </section>
  );
}
