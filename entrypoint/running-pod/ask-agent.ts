/** Requests to the agent of this pod over its local socket: for `probe`, `status`, `shell` and their like. */
import { request } from 'node:http';
import { type RunDirectory, runDirectoryAt } from '../../agent/broker/run-directory.ts';
import { readEnvironment, readFlags } from '../../agent/config/layers.ts';
import { ExitCode, errnoOf, messageOf, PodError } from '../../agent/errors.ts';
import { printable } from '../../agent/printable.ts';
import type { Flag, Flags } from '../command-line/arguments.ts';
import { readSettingsFile } from '../command-line/configure.ts';
import { type FoundDirectory, locateRunDirectory, type Where } from './find-run-directory.ts';

/** The flags that name another run-time directory of the agent than the usual one. */
export const directoryFlags = {
  dir: { type: 'string', value: 'DIR', meaning: "the agent's run-time directory (FLUX_POD_DIR)" },
  config: { type: 'string', value: 'FILE', meaning: 'the TOML file of settings (FLUX_POD_CONFIG)' },
} as const satisfies Record<string, Flag>;

/**
 * Finds the run-time directory of the agent: FLUX_POD_DIR, or the first of the usual places that an agent listens in. The other
 * settings are not read, so that this works in a pod whose configuration is wrong. A place that is not trusted is named on stderr.
 */
export async function findRunDirectory(
  flags: Flags,
  environment: NodeJS.ProcessEnv,
  where: Where = {},
): Promise<FoundDirectory> {
  const layers = [
    readFlags(flags).layer,
    readEnvironment(environment).layer,
    (await readSettingsFile(flags, environment)).layer,
  ];
  const configured = layers.map(({ dir }) => dir?.value).find((value) => typeof value === 'string');
  const skipped = (sentence: string) => void process.stderr.write(`flux-pod: ${printable(sentence)}\n`);
  return locateRunDirectory(configured, skipped, where);
}

export interface AgentAnswer {
  readonly status: number;
  readonly body: string;
}

/** Asks the agent. Throws a PodError (exit 69) where none answers. */
export function askAgent(
  { path: directory, agentSocket }: RunDirectory,
  path: string,
  { method = 'GET', timeoutMs = 5000 } = {},
): Promise<AgentAnswer> {
  return new Promise<AgentAnswer>((resolve, reject) => {
    const ask = request({ socketPath: agentSocket, path, method, signal: AbortSignal.timeout(timeoutMs) });
    ask.once('error', reject);
    ask.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      );
    });
    ask.end();
  }).catch((error: unknown) => {
    const why =
      errnoOf(error) === 'ENOENT' ? 'there is no such socket' : (errnoOf(error) ?? messageOf(error));
    throw new PodError(
      ExitCode.peersUnavailable,
      `No agent answers at ${runDirectoryAt(directory).agentSocket}: ${why}`,
      {
        hint: 'Is `flux-pod run` or `flux-pod attach` running in this container? It may still be starting. Is FLUX_POD_DIR the same here?',
      },
    );
  });
}
