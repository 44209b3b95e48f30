import { writeFileSync } from 'node:fs';
import { Writable } from 'node:stream';

/**
 * Keeps Node.js from opening stdout and stderr, which the broker and the program share: it would make a pipe non-blocking for all of them, and
 * a program does not expect its writes to fail with EAGAIN. Nobody has to write there for that: Node.js opens stderr when the first socket is
 * closed (lib/net.js, Socket.prototype._destroy), and where node:assert is loaded. What is written to either is written at once; a
 * reader that is gone is no error.
 */
export function keepOutputBlocking(): void {
  for (const [name, descriptor] of [
    ['stdout', 1],
    ['stderr', 2],
  ] as const) {
    let stream: Writable | undefined;
    Object.defineProperty(process, name, {
      configurable: true,
      enumerable: true,
      get: () => {
        stream ??= writerTo(descriptor);
        return stream;
      },
    });
  }
}

const writerTo = (descriptor: number): Writable =>
  new Writable({
    write: (bytes: Buffer, _, done) => {
      try {
        writeFileSync(descriptor, bytes);
      } catch {
        // nobody reads it any more
      }
      done();
    },
  });
