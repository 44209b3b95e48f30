/** How a follower comes to a broker: it awaits its parent, and starts a broker with the parent's address, now or after a backoff. Pure: a part of follower.ts. */
import type { HostPort } from '../../address.ts';
import { backoffMs } from '../../dns/wait/backoff.ts';
import { after, type Command, type Step } from '../machine.ts';
import type { Await, Context, Follower, Learn } from './follower-state.ts';

/** A broker that ran this long had joined: the backoff begins again. */
const settledMs = 10_000;
/** The first step of a follower. */
export const begin = (): Step<Follower> =>
  after([{ do: 'start services' }, { do: 'watch mounts' }], awaitParent(0));

export const awaitParent = (attempt: number): Step<Follower> => ({
  state: { at: 'await-parent', attempt },
  commands: [{ do: 'enter await-parent' }, { do: 'find parent' }],
});

export function startBroker(
  { attempt }: Pick<Await, 'attempt'>,
  parent: HostPort,
  context: Context,
  facts: Readonly<Record<string, unknown>> = {},
): Step<Follower> {
  const sentence = `The parent ${context.parent} listens at ${parent.host}:${parent.port}`;
  return {
    state: { at: 'start-broker', attempt, parent, startedAt: context.now },
    commands: [
      { do: 'log', level: 'info', sentence, facts },
      { do: 'start broker', parent },
    ],
  };
}

/**
 * The instance goes on without the broker that has exited: this pod looks for its parent, and its children look for this pod's next broker. The
 * link stays: the parent may announce the outcome before the next broker has one of its own.
 */
export function startAgain(learn: Learn, context: Context): Step<Follower> {
  const { replacedBy, ending, startedAt } = learn;
  const { now, random, size } = context;
  const leave: Command[] = [{ do: 'stop finding' }, { do: 'break child links' }];
  if (replacedBy)
    return after(
      [{ do: 'close link' }, ...leave, { do: 'enter await-parent' }],
      startBroker({ attempt: learn.attempt + 1 }, replacedBy, context),
    );
  const attempt = now - startedAt > settledMs ? 0 : learn.attempt;
  const sentence = ending.signal
    ? `The broker was ended by ${ending.signal}: it is started again`
    : 'The broker exited before the instance ended: its parent is lost, or it could not join';
  return {
    state: {
      at: 'backoff',
      attempt: attempt + 1,
      deadlines: { backoff: now + backoffMs(attempt, size, random) },
    },
    commands: [...leave, { do: 'log', level: 'warn', sentence, facts: { code: ending.code } }],
  };
}
