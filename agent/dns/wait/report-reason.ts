/** Says what stands in the way, from what a wait has seen. */
import { outlook } from './candidates.ts';
import { keptUntil } from './negative-cache.ts';
import { nextQuestionAt } from './wait-plan.ts';
import { type Instant, isSame, type Obstacle } from './wait-reason.ts';
import type { Wait, WaitFor } from './wait-state.ts';

/** Passes on what stands in the way, with the time since when it is the same. */
export function createReporter(onObstacle: ((obstacle: Obstacle) => void) | undefined) {
  let last: Obstacle | undefined;
  return (
    wait: Wait,
    waitFor: WaitFor,
    tally: { questions: number; connections: number },
    now: Instant,
  ): void => {
    const met = obstacleOf(wait, now);
    if (!met) return;
    const asksNext = nextQuestionAt(wait, waitFor);
    const addresses = [...wait.candidates.values()].flatMap(({ address, seen }) =>
      seen ? [{ address, seen }] : [],
    );
    const obstacle: Obstacle = {
      ...met,
      since: now,
      addresses,
      ...tally,
      ...(Number.isFinite(asksNext) && { asksNext }),
    };
    last = isSame(obstacle, last) ? { ...obstacle, since: last?.since ?? now } : obstacle;
    onObstacle?.(last);
  };
}

/** What stands in the way as far as it is known, nothing at first. */
function obstacleOf(wait: Wait, now: Instant): Pick<Obstacle, 'waitingFor' | 'seen'> | undefined {
  const connection = outlook(wait.candidates, now);
  if (connection === 'refused') return { waitingFor: 'connection', seen: connection };
  if (wait.trouble !== undefined) return { waitingFor: 'name server', seen: wait.trouble };
  if (wait.nameDenied) {
    const cached = keptUntil(wait.denials) !== undefined;
    const seen = wait.serviceDenied
      ? 'no such service, or it publishes no pod'
      : cached
        ? 'the denial is cached'
        : 'no such name';
    return { waitingFor: 'name', seen };
  }
  if (connection !== undefined) return { waitingFor: 'connection', seen: connection };
  if (wait.addressDenied !== undefined) return { waitingFor: 'address', seen: wait.addressDenied };
  return undefined;
}
