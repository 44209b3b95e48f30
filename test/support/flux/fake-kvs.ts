/** A key-value store and a content store of a test's own, as far as readers of event logs ask them. */
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';

import { Errno, FluxError } from '../../../agent/flux/errors.ts';
import type { FakeFlux } from '../agent/fake-api.ts';

const hashOf = (bytes: string | Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

export interface FakeKvs extends Required<Pick<FakeFlux, 'rpc' | 'raw'>> {
  /** The references of a value's parts. */
  readonly refs: (key: string) => readonly string[];
  /** Adds a part to a value, and a version to its namespace. */
  readonly append: (key: string, part: string | Uint8Array, namespace?: string) => void;
  readonly createNamespace: (name: string) => void;
  readonly removeNamespace: (name: string) => void;
  /** References of the blobs that were loaded, in the order in which they were. */
  readonly loaded: string[];
}

export function fakeKvs(): FakeKvs {
  const values = new Map<string, string[]>();
  const blobs = new Map<string, Uint8Array>();
  const versions = new Map<string, number>();
  const changes = new EventEmitter().setMaxListeners(0);
  const loaded: string[] = [];
  const versionOf = ({ namespace }: Readonly<Record<string, unknown>>): number => {
    const version = versions.get(String(namespace));
    if (version === undefined) throw new FluxError(Errno.notSupported);
    return version;
  };
  return {
    loaded,
    refs: (key) => values.get(key) ?? [],
    append: (key, part, namespace) => {
      const hash = hashOf(part);
      blobs.set(hash, Buffer.from(part));
      values.set(key, [...(values.get(key) ?? []), `sha1-${hash}`]);
      if (namespace === undefined) return;
      versions.set(namespace, (versions.get(namespace) ?? 0) + 1);
      changes.emit('change');
    },
    createNamespace: (name) => void versions.set(name, 1),
    removeNamespace: (name) => {
      versions.delete(name);
      changes.emit('change');
    },
    rpc: {
      'kvs.lookup': ({ key }) => {
        const data = values.get(String(key));
        if (!data) throw new FluxError(Errno.noEntry);
        return { val: { ver: 1, type: 'valref', data: [...data] } };
      },
      'kvs.getroot': (payload) => ({ rootseq: versionOf(payload) }),
      'kvs.wait-version': async (payload) => {
        while (versionOf(payload) < Number(payload.rootseq)) await once(changes, 'change');
        return { rootseq: versionOf(payload) };
      },
    },
    raw: {
      'content-backing.load': (payload) => {
        const hash = Buffer.from(payload).toString('hex');
        const blob = blobs.get(hash);
        if (!blob) throw new FluxError(Errno.noEntry);
        loaded.push(hash);
        // What comes over a socket is the reader's own.
        return Buffer.from(blob);
      },
    },
  };
}

/** The key of a log of the job 0x..., whose number is small. */
export const logKey = (id: number, path: string): string =>
  `job.0000.0000.0000.${id.toString(16).padStart(4, '0')}.${path}`;

export const entryLine = (name: string, context?: object): string =>
  `${JSON.stringify({ timestamp: 1, name, ...(context && { context }) })}\n`;

/** A line of a job's output (RFC 24). */
export const outputLine = (data: string, stream = 'stdout'): string =>
  entryLine('data', { stream, rank: '0', data });

/** The job f1 (0), whose event log has begun. */
export function begunJob(): FakeKvs {
  const kvs = fakeKvs();
  kvs.append(logKey(0, 'eventlog'), entryLine('submit'));
  return kvs;
}
