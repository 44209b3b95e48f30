import type { Pod } from '../../support/bed/pod.ts';

/** The pod that is attacked: a leader, its program runs. */
export interface Target {
  readonly pod: Pod;
  /** Addresses of this machine from which the attack may come. */
  readonly addresses: readonly string[];
  /** The one from which the probes are asked meanwhile. */
  readonly probing: string;
  /** Of the API. */
  readonly tokens: { readonly read: string; readonly write: string };
}

export interface Attack {
  readonly name: string;
  /** What it did before there was a defence. */
  readonly before: string;
  /** The pod has the API on port 8052; without it unless set. */
  readonly api?: 'plain' | 'tls';
  /** The program, which writes the line `up`; one that sleeps unless given. */
  readonly command?: readonly string[];
  /** What has to be there first and is not measured, such as a job with output. */
  readonly prepare?: (target: Target) => Promise<void>;
  /** Ends when the attack has. Resolves to what the attacker saw, in one line. */
  readonly run: (target: Target) => Promise<string>;
}
