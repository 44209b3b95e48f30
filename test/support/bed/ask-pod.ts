import { join } from 'node:path';
import type { Status } from '../../../agent/health/status.ts';
import { installFluxPod } from '../project/flux-pod.ts';
import type { Pod } from './pod.ts';

const port = 8051;

/** A wait is over by then, or what is waited for does not come: no promise is about this time. */
export const longestWaitMs = 60_000;

export interface Said {
  readonly ok: boolean;
  readonly why: string;
}

const host = ({ address }: Pod): string => (address.includes(':') ? `[${address}]` : address);

/** What a path of the pod's HTTP server answers, asked from outside, as the kubelet does. */
export async function get(pod: Pod, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://${host(pod)}:${port}${path}`, {
    signal: AbortSignal.timeout(longestWaitMs),
  });
  return { status: response.status, text: await response.text() };
}

/** What a probe says, asked from outside. */
export async function probe(pod: Pod, name: 'startupz' | 'livez' | 'readyz'): Promise<Said> {
  const { status, text } = await get(pod, `/${name}`);
  const said = JSON.parse(text);
  if (said.ok !== (status === 200))
    throw new Error(`${name} of ${pod.name} says ${text} with status ${status}`);
  return said;
}

export const statusOf = async (pod: Pod): Promise<Status> => JSON.parse((await get(pod, '/status')).text);

/** `flux-pod ...` inside the pod, as by `kubectl exec`: the way that does not need the pod's network. */
export const fluxPod = (pod: Pod, ...args: string[]) =>
  pod.exec([join(installFluxPod(), 'flux-pod'), ...args]);

/** Asks again and again, as a kubelet would, until `wanted` holds of the answer. Resolves to the answer and how long it took. */
export async function until<Answer>(
  ask: () => Promise<Answer>,
  wanted: (answer: Answer) => boolean,
  { everyMs = 50, withinMs = longestWaitMs } = {},
): Promise<{ answer: Answer; afterMs: number }> {
  const startedAt = Date.now();
  for (;;) {
    const answer = await ask();
    const afterMs = Date.now() - startedAt;
    if (wanted(answer)) return { answer, afterMs };
    if (afterMs > withinMs)
      throw new Error(`It has not come to pass in ${withinMs} ms; last: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
