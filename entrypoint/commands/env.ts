import { parseVerbArguments } from '../arguments.ts';
import { instanceEnvironment } from '../instance-environment.ts';
import { directoryFlags, findRunDirectory } from '../running-pod.ts';

/** `flux-pod env`: what a shell needs to use this pod's broker, to be sourced: `eval "$(flux-pod env)"`. */
export async function env(args: readonly string[]): Promise<number> {
  const { flags } = parseVerbArguments('env', args, directoryFlags);
  const environment = await instanceEnvironment(await findRunDirectory(flags, process.env), process.env);
  for (const name of ['FLUX_URI', 'PATH', 'PYTHONPATH']) {
    const value = environment[name];
    if (value !== undefined) process.stdout.write(`export ${name}=${quoted(value)}\n`);
  }
  return 0;
}

const quoted = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`;
