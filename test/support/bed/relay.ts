import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Nameserver } from '../../../entrypoint/demo/nameserver.ts';

/** A nameserver's address that swallows every question until it is opened, and passes them on from then on (UDP only). */
export interface Relay extends AsyncDisposable {
  /** `HOST:PORT`, as FLUX_POD_NAMESERVERS takes it. */
  readonly target: string;
  /** Questions that came while it was closed. */
  readonly swallowed: () => number;
  open(): void;
}

export async function startRelay(to: Nameserver): Promise<Relay> {
  const front = createSocket('udp4');
  let open = false;
  let swallowed = 0;
  front.bind({ address: to.address, port: 0 });
  await once(front, 'listening');
  front.on('message', (question, peer) => {
    if (!open) {
      swallowed += 1;
      return;
    }
    const back = createSocket('udp4');
    back.once('message', (answer) => {
      front.send(answer, peer.port, peer.address);
      back.close();
    });
    back.send(question, to.port, to.address);
  });
  return {
    target: `${to.address}:${front.address().port}`,
    swallowed: () => swallowed,
    open: () => {
      open = true;
    },
    [Symbol.asyncDispose]: async () => {
      front.close();
    },
  };
}
