/** A worker thread that asks `/livez` and `/readyz` in turn, each over a connection of its own, as a kubelet does. */
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

export interface ProbeTask {
  readonly host: string;
  /** The address to ask from. */
  readonly from: string;
}

/** Milliseconds until the answer; none where there was no 200 within 5 s. */
export interface Waited {
  readonly ms: number | undefined;
}

const everyMs = 50;
const { host, from } = workerData as ProbeTask;
let stopped = false;
parentPort?.once('message', () => {
  stopped = true;
});

const waited: Waited[] = [];
for (let round = 0; !stopped; round++) {
  waited.push(await ask(round % 2 === 0 ? '/livez' : '/readyz'));
  await delay(everyMs);
}
parentPort?.postMessage(waited);

function ask(path: string): Promise<Waited> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const failed = () => resolve({ ms: undefined });
    const signal = AbortSignal.timeout(5000);
    get({ host, port: 8051, path, agent: false, localAddress: from, signal }, (response) => {
      response
        .resume()
        .once('end', () =>
          response.statusCode === 200 ? resolve({ ms: performance.now() - startedAt }) : failed(),
        )
        .once('error', failed);
    }).once('error', failed);
  });
}
