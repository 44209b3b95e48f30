import { ExitCode, PodError } from '../../../agent/errors.ts';
import type { ParsedArguments } from '../../command-line/arguments.ts';
import { loadBundle } from '../../command-line/load-bundle.ts';
import type { Verb } from '../verb.ts';

/** The parameters of a demo. */
export interface DemoRequest {
  readonly size: number;
  readonly web: boolean;
  readonly command: readonly string[];
}

/** The exports of demo.cjs (demo/main.ts). */
export interface DemoBundle {
  /** Resolves to the exit code; what goes wrong is on stderr by then. */
  readonly demo: (request: DemoRequest) => Promise<number>;
}

export const demo: Verb = {
  forms: { '[--size N] [-- COMMAND]': 'a MiniCluster on this machine, without Kubernetes or root' },
  flags: {
    size: { type: 'string', default: '4', value: 'N', meaning: 'number of pods (default: 4)' },
    web: {
      type: 'boolean',
      meaning: 'serves the API and the web page; without COMMAND it stays up, with sample jobs',
    },
  },
  takes: 'COMMAND',
  examples: ['flux-pod demo', 'flux-pod demo --web', 'flux-pod demo --size 8 -- flux run -N8 hostname'],
  more: 'It is part of a checkout. Images and installations have no demo.\n',
  run: loadDemo,
};

/**
 * A MiniCluster of N pods as processes on this machine's loopback addresses. Exits with the leader's code, or with 128+N after signal N.
 * It is a bundle of its own, because it brings a stand-in for Flux along: images and installations do without.
 */
async function loadDemo({ flags, command }: ParsedArguments): Promise<number> {
  const request = { size: sizeOf(String(flags.size)), web: flags.web === true, command };
  const { demo } = loadBundle<DemoBundle>(
    'demo.cjs',
    'demo',
    'Images and `flux-pod install` leave it out. In a checkout of flux-pod: `npm ci && npm run demo`.',
  );
  return demo(request);
}

function sizeOf(text: string): number {
  const size = Number(text);
  if (Number.isInteger(size) && size >= 1 && size <= 1000) return size;
  throw new PodError(
    ExitCode.usage,
    `Cannot run a demo with --size ${text}: expected a whole number from 1 to 1000`,
  );
}
