import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { toolPath } from './pod-sandbox.ts';

/** What came through one of a pod's pipes. */
export interface Output {
  /** All of it so far. */
  readonly text: string;
  /** The first match, as soon as there is one; rejected when `limit` settles before. */
  match(pattern: RegExp, limit: Promise<unknown>): Promise<RegExpExecArray>;
}

export interface Outputs {
  stdout: Output;
  stderr: Output;
  messages: Output;
  /** Descriptors for the pod, in the order of the above; to be closed here once the pod has them. */
  writeEnds: number[];
  /** Fulfilled when all has arrived that ever will. */
  closed: Promise<unknown>;
}

/**
 * Pipes for what the pod writes, as a container runtime gives them. Node's own would be sockets, and
 * `echo >/dev/stderr` cannot open one of those.
 */
export function openOutputs(directory: string): Outputs {
  const names = ['stdout', 'stderr', 'messages'] as const;
  execFileSync('mkfifo', names, { cwd: directory, env: { PATH: toolPath } });
  const read = (name: string) => openSync(join(directory, name), constants.O_RDONLY | constants.O_NONBLOCK);
  const streams = names.map((name) => new Socket({ fd: read(name), readable: true, writable: false }));
  const [stdout, stderr, messages] = streams.map(collect) as [Output, Output, Output];
  return {
    stdout,
    stderr,
    messages,
    writeEnds: names.map((name) => openSync(join(directory, name), constants.O_WRONLY)),
    closed: Promise.all(streams.map((stream) => once(stream, 'close'))),
  };
}

/** A stream's text so far, and a way to wait for more of it. */
function collect(stream: Readable): Output {
  let soFar = '';
  const checks = new Set<() => void>();
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    soFar += chunk;
    for (const check of checks) check();
  });
  return {
    get text() {
      return soFar;
    },
    match(pattern, limit) {
      const once = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
      const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
      const check = () => {
        const match = once.exec(soFar);
        if (match !== null) resolve(match);
      };
      checks.add(check);
      check();
      limit.then(() => reject(new Error('it ended')), reject);
      return promise.finally(() => checks.delete(check));
    },
  };
}
