/** Attacks on port 8051, by whoever reaches the pod. */
import { setTimeout as delay } from 'node:timers/promises';
import { parseCertificate } from '../../../agent/broker/certificate/curve-certificate.ts';
import { instanceKey, linkSigner } from '../../../agent/link/key.ts';
import { linkHeader, signRequest } from '../../../agent/link/protocol.ts';
import { parentLinkPath } from '../../../agent/parent-link/announcement.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { close, keepOpen, openSockets, stillOpen } from './sockets.ts';
import type { Attack, Target } from './target.ts';

const get = (path: string, headers = ''): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

/** As many as there were places. */
const many = 512;

export const health: readonly Attack[] = [
  {
    name: '40 x 3,000 /metrics, unread',
    before: 'agent 59 -> 760, /readyz unanswered for 12 s and 503 at 19 s, the broker asked 120,000 times',
    run: pipelined(40, 3000, '/metrics'),
  },
  {
    name: 'the same, with the API on',
    before: 'agent 67 -> 1001, broker 14 -> 55, /readyz unanswered at 5 s, 503 at 12 s, 200 at 18 s',
    api: 'plain',
    run: pipelined(40, 3000, '/metrics'),
  },
  {
    name: '160 x 3,000 /status, unread',
    before: 'agent to 404, no probe answered within 2 s for 19 s',
    run: pipelined(160, 3000, '/status'),
  },
  {
    name: '/metrics as fast as it goes',
    before: 'each asked the broker',
    run: async ({ pod, addresses }) => {
      const [statuses, everyone] = [new Map<number, number>(), addresses.slice(0, 40)];
      const until = performance.now() + 10_000;
      const one = async (from: string) => {
        while (performance.now() < until) {
          const status = await ask(pod, '/metrics', from);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      };
      await Promise.all(everyone.map(one));
      return [...statuses].map(([status, count]) => `${count} x ${status || 'closed'}`).join(', ');
    },
  },
  {
    name: '512 idle, one address',
    before: 'ECONNRESET for 5 to 10 s, and as long as they come again',
    run: ({ pod, addresses }) =>
      keepOpen({ host: pod.address, count: many, from: addresses.slice(0, 1) }, 15_000),
  },
  {
    name: '512 idle, 60 addresses',
    before: 'the same',
    run: ({ pod, addresses }) => keepOpen({ host: pod.address, count: many, from: addresses }, 15_000),
  },
  {
    name: '512 with a request each 4 s',
    before: 'ECONNRESET as long as it was tried (20 s)',
    run: ({ pod, addresses }) =>
      keepOpen({ host: pod.address, count: many, from: addresses, write: get('/livez') }, 15_000, 4000),
  },
  {
    name: '512 links, a recorded header',
    before: 'ECONNRESET as long as it was tried (40 s), and no further traffic is needed',
    run: async (target) => {
      const headers = `${linkHeader}: ${await recordedHeader(target)}\r\ntransfer-encoding: chunked\r\n`;
      const write = get(parentLinkPath, headers).replace('GET', 'POST');
      return keepOpen({ host: target.pod.address, count: many, from: target.addresses, write }, 15_000);
    },
  },
];

function pipelined(count: number, requests: number, path: string): Attack['run'] {
  return async ({ pod, addresses }) => {
    const write = Buffer.from(get(path).repeat(requests));
    const sockets = openSockets({
      host: pod.address,
      count,
      from: addresses.slice(0, 1),
      write,
      unread: true,
    });
    const left = await stillOpen(sockets, 20_000);
    close(sockets);
    return `${left} of ${count} connections are open after 20 s`;
  };
}

/** What a child of this instance once sent. */
async function recordedHeader({ pod }: Target): Promise<string> {
  const { stdout } = await pod.exec(['cat', '/run/flux-pod/curve.cert']);
  const reading = parseCertificate(stdout);
  if ('damage' in reading) throw new Error(reading.damage);
  const cluster = pod.name.replace(/-0$/, '');
  const key = instanceKey(reading.certificate.secretKey, ['default', cluster, `${cluster}-[0-1]`]);
  const name = { rank: 0, peer: '1', nonce: '00'.repeat(16) };
  return signRequest(name, linkSigner(key, name));
}

/** Resolves to the status; 0 where the connection was closed. */
async function ask(pod: Pod, path: string, from: string): Promise<number> {
  const [socket] = openSockets({ host: pod.address, count: 1, from: [from], write: get(path) });
  return new Promise((resolve) => {
    socket?.once('data', (bytes) => {
      resolve(Number(/^HTTP\/1.1 (\d+)/.exec(bytes.toString('latin1'))?.[1]));
      socket.destroy();
    });
    socket?.once('close', () => resolve(0));
    void delay(5000, undefined, { ref: false }).then(() => socket?.destroy());
  });
}
