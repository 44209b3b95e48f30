/** Ways to submit many jobs. Each resolves to how many a second were accepted. */
import { createConnection } from 'node:net';
import type { Pod } from '../../support/bed/pod.ts';
import { inside } from '../inside-pod.ts';
import { port, timed, token } from './pod.ts';

/** As many as keep the broker busy: `flux submit --cc` waits for none before it sends the next. */
export const atOnce = 512;

const body = '{"command":["true"]}';
const request = (pod: Pod) =>
  Buffer.from(
    `POST /v1/jobs HTTP/1.1\r\nHost: ${pod.address}:${port}\r\nAuthorization: Bearer ${token}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );

/**
 * Over `atOnce` connections for so long, a request each. The clients write bytes and count answers: with Node's own client they took as much of
 * the two cores as the agent.
 */
export async function byRequests(pod: Pod, seconds: number): Promise<{ rate: number; accepted: number }> {
  const bytes = request(pod);
  const endAt = performance.now() + seconds * 1000;
  let accepted = 0;
  const connection = () =>
    new Promise<void>((resolve, reject) => {
      const socket = createConnection({ host: pod.address, port, noDelay: true }).setEncoding('latin1');
      let text = '';
      socket.on('data', (some: string) => {
        text += some;
        const [head, length] = /^.*?content-length: (\d+).*?\r\n\r\n/is.exec(text) ?? [''];
        if (head === '' || text.length < head.length + Number(length)) return;
        if (!text.startsWith('HTTP/1.1 201 ')) return reject(new Error(`the API says ${text}`));
        text = '';
        accepted++;
        if (performance.now() < endAt) return void socket.write(bytes);
        socket.destroy();
        resolve();
      });
      socket.once('error', reject).write(bytes);
    });
  const took = await timed(() => Promise.all(Array.from({ length: atOnce }, connection)));
  return { rate: accepted / took, accepted };
}

export async function byCopies(pod: Pod, count: number): Promise<number> {
  const took = await timed(async () => {
    const response = await fetch(`http://${pod.address}:${port}/v1/jobs/cc`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ cc: `1-${count}`, job: { command: ['true'] } }),
    });
    const text = await response.text();
    if (response.status !== 201) throw new Error(text);
  });
  return count / took;
}

export const bySubmitCc = async (pod: Pod, count: number): Promise<number> =>
  count / (await timed(() => inside(pod, `flux submit --quiet --cc=1-${count} true`)));

export async function byProcesses(pod: Pod): Promise<number> {
  const count = 20;
  const script = `for i in $(seq ${count}); do flux submit --quiet true; done`;
  return count / (await timed(() => inside(pod, script)));
}
