import { viewVariables } from '../../../agent/broker/view-paths.ts';
import { ExitCode, PodError } from '../../../agent/errors.ts';
import { inQuotes } from '../../../agent/shell-words.ts';
import type { ParsedArguments } from '../../command-line/arguments.ts';
import { directoryFlags, findRunDirectory } from '../../running-pod/ask-agent.ts';
import { actingIdentity } from '../../running-pod/find-run-directory.ts';
import { instanceEnvironment } from '../../running-pod/instance-environment.ts';
import type { Verb } from '../verb.ts';

/** `flux-pod env`: what a shell needs to use this pod's broker, to be sourced: `eval "$(flux-pod env)"`. */
export const env: Verb = {
  forms: { '': 'the environment of flux-pod shell, as export lines' },
  flags: directoryFlags,
  examples: ['eval "$(flux-pod env)"'],
  run: printEnvironment,
};

async function printEnvironment({ flags }: ParsedArguments): Promise<number> {
  const directory = await findRunDirectory(flags, process.env);
  const other = actingIdentity(directory);
  // Root would source a PATH that another user has named, and the broker would not let root in.
  if (other)
    throw new PodError(ExitCode.usage, `Cannot give root the environment of user ${other.uid}'s broker`, {
      hint: '`flux-pod shell` becomes that user.',
    });
  const environment = await instanceEnvironment(directory, process.env);
  for (const name of ['FLUX_URI', ...viewVariables]) {
    const value = environment[name];
    if (value !== undefined) process.stdout.write(`export ${name}=${inQuotes(value)}\n`);
  }
  return 0;
}
