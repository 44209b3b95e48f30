import { instant } from '../clock.ts';

/**
 * One request at a time for any number of callers; its response then counts for `reuseMs`. The source is asked only as often as that, however
 * many callers there are.
 */
export function shareAnswer<Answer>(
  ask: () => Promise<Answer>,
  reuseMs: number,
  now: () => number = instant,
): () => Promise<Answer> {
  let shared: { readonly answer: Promise<Answer>; staleAt: number } | undefined;
  return () => {
    if (shared && now() < shared.staleAt) return shared.answer;
    const question = { answer: ask(), staleAt: Number.POSITIVE_INFINITY };
    const count = () => {
      question.staleAt = now() + reuseMs;
    };
    question.answer.then(count, count);
    shared = question;
    return question.answer;
  };
}
