/** The initial program, which rank 0 runs when the instance is up. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type Ending, endingOf } from '../../../agent/broker/process.ts';
import type { BrokerConfig } from './broker-options.ts';

/** flux-core src/broker/broker.c: a lone word is a shell's, several are executed as they are. */
export function startProgram({ program, attributes }: BrokerConfig) {
  const [first = '/bin/sh', ...rest] = program.length === 1 ? ['/bin/sh', '-c', ...program] : program;
  const env = { ...process.env, FLUX_URI: attributes.get('local-uri') ?? '' };
  const child = spawn(first, rest, { stdio: 'inherit', env });
  const ended = new Promise<Ending>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve({ code: error.code === 'ENOENT' ? 127 : 126, signal: undefined }),
    );
    child.once('exit', (code, signal) => resolve(endingOf(code, signal)));
  });
  return { ended, kill: (signal: NodeJS.Signals) => void child.kill(signal) };
}

/** flux-core src/broker/broker.c: a broker that leads its process group hangs up what the program left behind. */
export function hangUpGroup(): void {
  const group = Number(readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ')[2]);
  if (group === process.pid) process.kill(0, 'SIGHUP');
}
