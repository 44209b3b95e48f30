import {
  type Command,
  type Deadline,
  type Event,
  type Exit,
  earliest,
  type Machine,
} from '../../../agent/lifecycle/machine.ts';

/** A state machine on a virtual clock. */
export interface Played<State> {
  readonly state: () => State;
  readonly now: () => number;
  /** The next deadline. */
  readonly due: () => { of: Deadline; at: number } | undefined;
  /** Gives it an event, or lets so many milliseconds pass. Returns the commands that follow, and when each of them did. */
  readonly on: (input: Event | number) => readonly (Command & { at: number })[];
  readonly exited: () => Exit | undefined;
}

/** `random` is the jitter: 0.5 adds none. */
export function play<State>(machine: Machine<State>, random = () => 0.5): Played<State> {
  let now = 0;
  let { state, commands } = machine.first(now);
  let exit: Exit | undefined;
  let first: readonly Command[] | undefined = commands;

  const take = (event: Event) => {
    ({ state, commands } = machine.next(state, event, now, random()));
    for (const command of commands) if (command.do === 'exit') exit ??= command;
    return commands.map((command) => ({ ...command, at: now }));
  };
  const pass = (until: number): (Command & { at: number })[] => {
    const due = earliest(machine.deadlinesOf(state));
    if (!due || due.at > until || exit) {
      now = until;
      return [];
    }
    now = Math.max(now, due.at);
    return [...take({ kind: 'deadline', of: due.of }), ...pass(until)];
  };
  return {
    state: () => state,
    now: () => now,
    due: () => (exit ? undefined : earliest(machine.deadlinesOf(state))),
    on: (input) => {
      const begun = (first ?? []).map((command) => ({ ...command, at: 0 }));
      first = undefined;
      return [...begun, ...(typeof input === 'number' ? pass(now + input) : take(input))];
    },
    exited: () => exit,
  };
}

/** A command as a line of text. */
export function written(command: Command): string {
  switch (command.do) {
    case 'log':
      return `log ${command.level}: ${command.sentence}`;
    case 'exit':
      return `exit ${command.outcome.code}: ${command.outcome.sentence}${command.runsPost ? '' : ' (no post hooks)'}`;
    case 'find parent': {
      const { known, foreign } = command;
      return ['find parent', known && `known ${known}`, foreign && `foreign ${foreign}`]
        .filter(Boolean)
        .join(', ');
    }
    case 'start broker':
      return ['start broker', command.parent?.host].filter(Boolean).join(' ');
    case 'open link':
      return `open link ${command.host}`;
    case 'signal broker':
      return `signal broker ${command.signal}`;
    case 'announce':
      return `announce ${command.message.kind}`;
    default:
      return command.do;
  }
}

/** Inputs, each with the commands that follow. */
export type Script = readonly (readonly [input: Event | number, ...then: readonly string[]])[];

/** The script as it is played: to be compared with the script. */
export const replay = <State>(played: Played<State>, script: Script): Script =>
  script.map(([input]) => [input, ...played.on(input).map(written)]);

export const signal = (name: NodeJS.Signals = 'SIGTERM'): Event => ({ kind: 'signal', signal: name });
export const found = (host: string): Event => ({
  kind: 'parent found',
  address: { host, port: 8050 },
  facts: {},
});
export const notFound: Event = {
  kind: 'parent not found',
  outcome: { code: 69, sentence: 'The parent mc-0 could not be reached within 1 s' },
};
export const started: Event = { kind: 'broker started' };
export const exitedWith = (code: number, signal?: NodeJS.Signals): Event => ({
  kind: 'broker exited',
  ending: { code, signal },
  failure: undefined,
});
export const linkOpened = (incarnation: string): Event => ({ kind: 'link opened', incarnation });
export const noLink = (why: (Event & { kind: 'no link' })['why'], parentIsSilent = false): Event => ({
  kind: 'no link',
  why,
  parentIsSilent,
});
export const linkBroken: Event = { kind: 'link broken' };
export const stopping: Event = { kind: 'announced', message: { kind: 'stopping', signal: 'SIGTERM' } };
export const ending: Event = { kind: 'announced', message: { kind: 'ending' } };
export const outcome = (code: number): Event => ({
  kind: 'announced',
  message: { kind: 'outcome', code, sentence: `The program exited with code ${code}` },
});
export const drained: Event = { kind: 'drained' };
export const brokerState = (state: (Event & { kind: 'broker state' })['state']): Event => ({
  kind: 'broker state',
  state,
});
