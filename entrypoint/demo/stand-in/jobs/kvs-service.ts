/** The event logs of jobs as they lie in the KVS (RFC 11) and the content store (RFC 10): each entry is a blob of its own. */
import { createHash } from 'node:crypto';
import { constants } from 'node:os';
import type { Asked, Router } from '../message-router.ts';
import type { Job } from './job.ts';

const { ENOENT, ENOTSUP } = constants.errno;

export interface Kvs {
  /** The namespace of a job that runs has a new version, or is removed. */
  readonly changed: (job: Job) => void;
}

export function serveKvs(router: Router, jobs: ReadonlyMap<bigint, Job>): Kvs {
  const blobs = new Map<string, string>();
  let waiting: { readonly asked: Asked; readonly version: number }[] = [];

  /** `job.0000.0000.0000.002a.guest.output` */
  const find = (key: string) => {
    const [, hex = '', path = ''] = /^job\.((?:[\da-f]{4}\.){4})(.*)$/.exec(key) ?? [];
    return jobs.get(BigInt(`0x0${hex.replaceAll('.', '')}`))?.logs.get(path);
  };
  const refer = (blob: string): string => {
    const hash = createHash('sha1').update(blob).digest('hex');
    blobs.set(hash, blob);
    return `sha1-${hash}`;
  };
  const versionOf = ({ payload }: Asked): number | undefined => {
    const job = jobs.get(BigInt(/^job-(\d+)$/.exec(String(payload.namespace))?.[1] ?? -1));
    if (job?.state !== 'run' && job?.state !== 'cleanup') return undefined;
    const logs = [...job.logs].filter(([path]) => path.startsWith('guest.'));
    return logs.reduce((sum, [, lines]) => sum + lines.length, 0);
  };
  /** False where it is to wait. */
  const respond = (asked: Asked, least: number): boolean => {
    const version = versionOf(asked);
    if (version === undefined) asked.fail(ENOTSUP);
    else if (version >= least) asked.respond({ rootseq: version });
    else return false;
    return true;
  };

  router.serve('kvs.lookup', ({ payload, respond, fail }) => {
    const lines = find(String(payload.key));
    if (lines) respond({ val: { ver: 1, type: 'valref', data: lines.map(refer) } });
    else fail(ENOENT);
  });
  router.serve('kvs.getroot', (asked) => void respond(asked, 0));
  router.serve('kvs.wait-version', (asked) => {
    const version = Number(asked.payload.rootseq);
    if (!respond(asked, version)) waiting.push({ asked, version });
  });
  router.serve('content.load', ({ request, respond, fail }) => {
    const blob = blobs.get(Buffer.from(request.payload ?? []).toString('hex'));
    if (blob === undefined) fail(ENOENT);
    else respond(Buffer.from(blob));
  });
  return {
    changed: () => {
      waiting = waiting.filter(({ asked, version }) => !respond(asked, version));
    },
  };
}
