import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { endingOf } from '../../../agent/broker/process.ts';
import { ExitCode, errnoOf, messageOf, PodError } from '../../../agent/errors.ts';
import { Errno, FluxError } from '../../../agent/flux/errors.ts';
import { formatJobId, parseJobId } from '../../../agent/flux/job-id.ts';
import { lookup } from '../../../agent/flux/services/job-info.ts';
import { shellLineOf } from '../../../agent/shell-words.ts';
import type { ParsedArguments } from '../../command-line/arguments.ts';
import { directoryFlags, findRunDirectory } from '../../running-pod/ask-agent.ts';
import { connectBroker } from '../../running-pod/connect-broker.ts';
import { actingIdentity, type FoundDirectory } from '../../running-pod/find-run-directory.ts';
import { instanceEnvironment } from '../../running-pod/instance-environment.ts';
import { shellLine, type Verb } from '../verb.ts';

/**
 * `flux-pod shell [--job ID] [-- COMMAND...]`: a shell, or one command, that can use this pod's broker; with a job's id in that job's
 * environment and working directory. Resolves to its exit code.
 */
export const shell: Verb = {
  forms: { '[--job ID] [-- COMMAND]': 'a shell, or one command, inside the instance' },
  flags: {
    job: { type: 'string', value: 'ID', meaning: "uses the job's environment and working directory" },
    ...directoryFlags,
  },
  takes: 'COMMAND',
  examples: [
    'flux-pod shell',
    'flux-pod shell -- flux resource list',
    'flux-pod shell --job f2qx7SvB -- env',
  ],
  more: shellLine,
  run: openShell,
};

async function openShell({ flags, command }: ParsedArguments): Promise<number> {
  const directory = await findRunDirectory(flags, process.env);
  const environment = await instanceEnvironment(directory, process.env);
  const job = typeof flags.job === 'string' ? await jobContext(directory, flags.job) : undefined;
  const line = shellLineOf(command);
  const [file = 'sh', ...rest] =
    line !== undefined
      ? ['/bin/sh', '-c', line]
      : command.length > 0
        ? command
        : [existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh'];
  return run(file, rest, {
    env: { ...environment, ...job?.environment, ...(job && { FLUX_URI: environment.FLUX_URI }) },
    ...(job?.directory !== undefined && existsSync(job.directory) && { cwd: job.directory }),
    ...actingIdentity(directory),
  });
}

function run(file: string, args: string[], options: Parameters<typeof spawn>[2] & object): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { ...options, stdio: 'inherit' });
    // The terminal sends its signals to the shell as well, which handles them.
    for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTSTP'] as const) process.on(signal, () => undefined);
    process.on('SIGTERM', () => child.kill('SIGTERM')).on('SIGHUP', () => child.kill('SIGHUP'));
    child.once('exit', (code, signal) => resolve(endingOf(code, signal).code));
    child.once('error', (error) => {
      const code = errnoOf(error) === 'ENOENT' ? 127 : 126;
      process.stderr.write(`flux-pod: cannot run ${file}: ${errnoOf(error) ?? messageOf(error)}\n`);
      resolve(code);
    });
  });
}

/** What the job was submitted with (RFC 25: attributes.system). */
async function jobContext(directory: FoundDirectory, text: string) {
  const refuse = (why: string) =>
    new PodError(ExitCode.usage, `Cannot open a shell for job ${text}: ${why}`, {
      hint: '`flux-pod jobs --all` lists the jobs.',
    });
  const id = parseJobId(text);
  if (id === undefined) throw refuse('expected an id such as f2qx7SvB');
  using client = await connectBroker(directory);
  try {
    const { jobspec } = await lookup(client, id, ['jobspec']);
    const { environment = {}, cwd } = JSON.parse(jobspec).attributes?.system ?? {};
    return {
      directory: cwd as string | undefined,
      environment: { ...environment, FLUX_JOB_ID: formatJobId(id) },
    };
  } catch (error) {
    if (error instanceof FluxError)
      throw refuse(error.errnum === Errno.noEntry ? 'there is no such job' : error.message);
    throw error;
  }
}
