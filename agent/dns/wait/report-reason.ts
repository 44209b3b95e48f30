/** The wait reason that follows from the state of a wait. */
import { outlook } from './candidates.ts';
import { cachedUntil } from './negative-cache.ts';
import { nextQuestionAt } from './wait-plan.ts';
import { type Instant, isSame, type WaitReason } from './wait-reason.ts';
import type { Wait, WaitFor } from './wait-state.ts';

/** Passes on the wait reason, with the time since when it is the same. */
export function createReasonReporter(onReason: ((reason: WaitReason) => void) | undefined) {
  let last: WaitReason | undefined;
  return (
    wait: Wait,
    waitFor: WaitFor,
    tally: { questions: number; connections: number },
    now: Instant,
  ): void => {
    const found = reasonOf(wait, now);
    if (!found) return;
    const asksNext = nextQuestionAt(wait, waitFor);
    const addresses = [...wait.candidates.values()].flatMap(({ address, seen }) =>
      seen ? [{ address, seen }] : [],
    );
    const reason: WaitReason = {
      ...found,
      since: now,
      addresses,
      ...tally,
      ...(Number.isFinite(asksNext) && { asksNext }),
    };
    last = isSame(reason, last) ? { ...reason, since: last?.since ?? now } : reason;
    onReason?.(last);
  };
}

/** Undefined before the first outcome. */
function reasonOf(wait: Wait, now: Instant): Pick<WaitReason, 'waitingFor' | 'seen'> | undefined {
  const connection = outlook(wait.candidates, now);
  if (connection === 'refused') return { waitingFor: 'connection', seen: connection };
  if (wait.trouble !== undefined) return { waitingFor: 'name server', seen: wait.trouble };
  if (wait.isNameMissing) {
    const cached = cachedUntil(wait.negatives) !== undefined;
    const seen = wait.isServiceMissing
      ? 'no such service, or it publishes no pod'
      : cached
        ? 'the negative answer is cached'
        : 'no such name';
    return { waitingFor: 'name', seen };
  }
  if (connection !== undefined) return { waitingFor: 'connection', seen: connection };
  if (wait.noAddress !== undefined) return { waitingFor: 'address', seen: wait.noAddress };
  return undefined;
}
