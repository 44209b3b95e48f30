/** What a person sees of the demo: a live table on a terminal, plain lines elsewhere. */

export interface DemoView {
  /** A pod's agent or broker has come to another state. */
  readonly state: (pod: string, part: 'agent' | 'broker', state: string) => void;
  /** Something to read: the program's output, a warning. */
  readonly line: (text: string) => void;
  readonly finish: () => void;
}

type States = Map<string, { agent: string; broker: string }>;

export function createView(pods: readonly string[], terminal: boolean, startedAt: number): DemoView {
  const states: States = new Map(pods.map((pod) => [pod, { agent: 'starting', broker: '' }]));
  const write = (text: string) => void process.stdout.write(text);
  const seconds = () => `${((Date.now() - startedAt) / 1000).toFixed(2)}s`.padStart(7);
  if (!terminal) {
    return {
      state: (pod, part, state) =>
        write(`${seconds()}  ${pod}  ${part === 'agent' ? 'agent ' : 'broker'}  ${state}\n`),
      line: (text) => write(`${text}\n`),
      finish: () => undefined,
    };
  }
  let drawn = 0;
  const erase = () => {
    if (drawn > 0) write(`\x1b[${drawn}A\x1b[J`);
    drawn = 0;
  };
  const draw = () => {
    const rows = [...states].map(
      ([pod, { agent, broker }]) => `  ${pod.padEnd(12)}${agent.padEnd(16)}${broker}`,
    );
    write(`${seconds()}\n  ${'POD'.padEnd(12)}${'AGENT'.padEnd(16)}BROKER\n${rows.join('\n')}\n`);
    drawn = rows.length + 2;
  };
  draw();
  return {
    state: (pod, part, state) => {
      const known = states.get(pod);
      if (known) known[part] = state;
      erase();
      draw();
    },
    line: (text) => {
      erase();
      write(`${text}\n`);
      draw();
    },
    finish: () => {
      erase();
      draw();
    },
  };
}
