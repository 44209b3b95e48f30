import { instant } from '../clock.ts';

/**
 * One question at a time for any number of callers, whose answer then counts for `reuseMs`. What is behind it is asked as often as that,
 * however many ask here.
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
