/** The broker's states and what leads from one to the next: flux-core src/broker/state_machine.c. */
import { type BrokerState, brokerStates } from '../../../agent/flux/services/state-machine.ts';
import type { BrokerConfig } from './broker-options.ts';
import type { Router } from './message-router.ts';

const next: Readonly<Record<BrokerState, Readonly<Record<string, BrokerState>>>> = {
  'load-builtins': { 'builtins-success': 'join' },
  join: { 'parent-ready': 'config-sync', 'parent-none': 'config-sync', 'parent-fail': 'shutdown' },
  'config-sync': { 'sync-success': 'init', 'sync-none': 'init', 'sync-fail': 'shutdown' },
  init: { 'rc1-success': 'quorum', 'rc1-fail': 'shutdown' },
  quorum: { 'quorum-full': 'run', 'quorum-fail': 'shutdown' },
  run: { 'rc2-success': 'cleanup', 'rc2-fail': 'cleanup', shutdown: 'cleanup', 'parent-fail': 'cleanup' },
  cleanup: { 'cleanup-success': 'shutdown', 'cleanup-none': 'shutdown' },
  shutdown: { 'children-complete': 'finalize', 'children-none': 'finalize' },
  finalize: { 'rc3-success': 'goodbye', 'rc3-fail': 'goodbye' },
  goodbye: { goodbye: 'unload-builtins' },
  'unload-builtins': { 'builtins-done': 'exit' },
  exit: {},
};

export interface States {
  readonly current: () => BrokerState;
  /** Whether the broker is in a state, or was: it may have been left out on the way down. */
  readonly wasIn: (state: BrokerState) => boolean;
  /** What does not lead on from the state of the moment is ignored. */
  readonly post: (event: string) => void;
  /** Fulfilled when the broker has come so far, or further. */
  readonly until: (state: BrokerState) => Promise<void>;
  readonly log: Log;
}

export type Log = Readonly<Record<'info' | 'err' | 'crit', (text: string) => void>>;

const numberOf = (state: BrokerState): number => brokerStates.indexOf(state);

/** Keeps the state, logs each change as Flux does when stderr is no terminal, and serves state-machine.get and monitor. */
export function createStates(config: BrokerConfig): States & { readonly serve: (router: Router) => void } {
  const log = createLog(config);
  const listeners = new Set<() => void>();
  const passed = new Set<BrokerState>(['load-builtins']);
  let state: BrokerState = 'load-builtins';
  let since = performance.now();
  return {
    log,
    current: () => state,
    wasIn: (other) => passed.has(other),
    post: (event) => {
      const following = next[state][event];
      if (!following) return;
      log.info(`${event}: ${state}->${following} ${formatDuration(performance.now() - since)}`);
      state = following;
      passed.add(state);
      since = performance.now();
      for (const listener of listeners) listener();
    },
    until: (other) =>
      new Promise((resolve) => {
        const check = () => {
          if (numberOf(state) < numberOf(other)) return;
          listeners.delete(check);
          resolve();
        };
        listeners.add(check);
        check();
      }),
    serve: (router) => {
      router.serve('state-machine.get', ({ respond }) =>
        respond({ state, duration: (performance.now() - since) / 1000 }),
      );
      router.serve('state-machine.monitor', ({ respond, keep }) => {
        keep();
        respond({ state: numberOf(state) });
      });
      listeners.add(() => {
        for (const { respond } of router.kept('state-machine.monitor')) respond({ state: numberOf(state) });
      });
    },
  };
}

const formatDuration = (ms: number): string =>
  ms < 100 ? `${Number(ms.toFixed(3))}ms` : `${Number((ms / 1000).toFixed(3))}s`;

/** As flux-core src/broker/log.c: without a time for systemd, with one where a level counts as critical. */
function createLog({ rank, attributes }: BrokerConfig): Log {
  const local = attributes.get('log-stderr-mode') === 'local';
  const level = Number(
    local ? (attributes.get('log-stderr-level') ?? 3) : (attributes.get('log-critical-level') ?? 2),
  );
  const at = (severity: number, name: string) => (text: string) => {
    const prefix = local ? `<${severity}>` : `${new Date().toISOString()} `;
    if (severity <= level) process.stderr.write(`${prefix}broker.${name}[${rank}]: ${text}\n`);
  };
  return { info: at(6, 'info'), err: at(3, 'err'), crit: at(2, 'crit') };
}
