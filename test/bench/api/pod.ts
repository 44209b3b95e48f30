/** The pod that the rows of this benchmark share: one broker whose queue is stopped, and the API with tokens. */
import { readdirSync, readFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bed } from '../../support/bed/bed.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { type Flux, startMiniCluster } from '../../support/project/flux-pod.ts';

export const port = 8052;
export const token = 'write-0123456789abcdef';
/** One token may have 100 streams. */
export const readers = Array.from({ length: 6 }, (_, place) => `reader-${place}-0123456789abcdef`);

export async function startPod(bed: Bed, flux: Flux): Promise<Pod> {
  const [pod] = startMiniCluster(bed, {
    size: 1,
    flux,
    command: ['sh', '-c', 'flux queue stop --quiet; echo up; exec sleep 1000000'],
    env: { FLUX_POD_API: 'on', FLUX_POD_API_TOKENS: '/etc/flux-pod/api', FLUX_POD_API_RATE: '100000' },
    pod: () => ({
      mounts: {
        '/etc/flux-pod/api/write': { content: `${token}\n`, mode: 0o400 },
        '/etc/flux-pod/api/read': { content: readers.map((each) => `${each}\n`).join(''), mode: 0o400 },
      },
    }),
  }) as [Pod];
  await pod.waitForOutput(/^up$/m, 60_000);
  await delay(2000);
  return pod;
}

/** Seconds that `act` takes. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await act();
  return (performance.now() - startedAt) / 1000;
}

/** Opens an answer. */
export function open(
  pod: Pod,
  path: string,
  by: { readonly secret?: string; readonly signal?: AbortSignal; readonly port?: number } = {},
): Promise<IncomingMessage> {
  const headers = { authorization: `Bearer ${by.secret ?? token}` };
  const options = {
    host: pod.address,
    port: by.port ?? port,
    path,
    headers,
    agent: false,
    signal: by.signal,
  };
  return new Promise((resolve, reject) => {
    get(options, (response) => {
      response.on('error', () => undefined);
      if (response.statusCode === 200) resolve(response);
      else reject(new Error(`the API answers ${path} with ${response.statusCode}`));
    }).on('error', reject);
  });
}

/** Reads an answer to its end. Resolves to its length. */
export async function read(...asked: Parameters<typeof open>): Promise<number> {
  const response = await open(...asked);
  let bytes = 0;
  for await (const chunk of response) bytes += chunk.length;
  return bytes;
}

/** What a process in the pod has used: the agent (Node.js) or the broker (all of its modules). */
export interface Used {
  readonly agent: number;
  readonly broker: number;
}

/** A clock tick of proc(5), in milliseconds: sysconf(_SC_CLK_TCK) is 100 on Linux. */
const tickMs = 10;

/** Milliseconds of CPU until now. */
export function cpuOf(pod: Pod): Used {
  const of = (pattern: RegExp): number => {
    const all = readdirSync(pod.proc()).filter((name) => /^\d+$/.test(name));
    return all.reduce((sum, pid) => sum + cpuOfProcess(`${pod.proc()}/${pid}/stat`, pattern), 0);
  };
  return { agent: of(/^(MainThread|node)/), broker: of(/^flux-broker/) };
}

function cpuOfProcess(path: string, pattern: RegExp): number {
  try {
    const [, command = '', rest = ''] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(path, 'utf8')) ?? [];
    const fields = rest.split(' ');
    return pattern.test(command) ? (Number(fields[11]) + Number(fields[12])) * tickMs : 0;
  } catch {
    // It has ended.
    return 0;
  }
}

/** CPU of `act`, in milliseconds, with its result. */
export async function usedBy<T>(pod: Pod, act: () => Promise<T>): Promise<Used & { readonly result: T }> {
  const before = cpuOf(pod);
  const result = await act();
  const after = cpuOf(pod);
  return { result, agent: after.agent - before.agent, broker: after.broker - before.broker };
}

export const loadNow = (): string => readFileSync('/proc/loadavg', 'utf8').split(' ', 1)[0] ?? '';
