import { ExitCode, PodError } from '../../../agent/errors.ts';
import { probes } from '../../../agent/health/probes.ts';
import { printable } from '../../../agent/printable.ts';
import type { ParsedArguments } from '../../command-line/arguments.ts';
import { askAgent, directoryFlags, findRunDirectory } from '../../running-pod/ask-agent.ts';
import type { Verb } from '../verb.ts';

const paths: Readonly<Record<string, string>> = { startup: '/startupz', live: '/livez', ready: '/readyz' };

/** `flux-pod probe startup|live|ready`: for an exec probe. Resolves to 0 or 1, and prints the reason. */
export const probe: Verb = {
  forms: { 'startup|live|ready': 'for an exec probe: exits with 0 or 1 and prints why' },
  flags: directoryFlags,
  words: ['startup', 'live', 'ready'],
  takes: 1,
  examples: ['flux-pod probe ready'],
  run: askProbe,
};

async function askProbe({ flags, positionals }: ParsedArguments): Promise<number> {
  const path = paths[positionals[0] ?? ''];
  if (!path) {
    const given =
      positionals[0] === undefined ? 'there is no probe named' : `there is no probe "${positionals[0]}"`;
    throw new PodError(ExitCode.usage, `Cannot probe: ${given}, expected one of ${probes.join(', ')}`);
  }
  const directory = await findRunDirectory(flags, process.env, { observers: true });
  try {
    const { status, body } = await askAgent(directory, path);
    process.stdout.write(`${printable(String(JSON.parse(body).why))}\n`);
    return status === 200 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof PodError)) throw error;
    process.stdout.write(`${error.message}\n`);
    return 1;
  }
}
