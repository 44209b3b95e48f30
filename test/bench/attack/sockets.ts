/** Many raw connections, as an attacker has them. */
import { createConnection, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface Spec {
  readonly host: string;
  readonly port?: number;
  readonly count: number;
  /** Where they come from, in turn. */
  readonly from: readonly string[];
  /** Written to each at once. */
  readonly write?: string | Buffer;
  /** What comes is left in the kernel's buffers. */
  readonly unread?: boolean;
}

/** Opens them; those that are refused are among them, closed. */
export const openSockets = (spec: Spec): Socket[] =>
  Array.from({ length: spec.count }, (_, place) => openSocket(spec, place));

function openSocket({ host, port = 8051, from, write, unread = false }: Spec, place: number): Socket {
  const localAddress = from[place % from.length];
  const socket = createConnection({ host, port, ...(localAddress !== undefined && { localAddress }) });
  socket.on('error', () => undefined);
  if (unread) socket.pause();
  else socket.resume();
  if (write !== undefined) socket.write(write);
  return socket;
}

/** How many the other end has not closed after `ms`: one that is not read shows it only when it is. */
export async function stillOpen(sockets: readonly Socket[], ms: number): Promise<number> {
  await delay(ms);
  for (const socket of sockets) socket.resume();
  await delay(500);
  return sockets.filter(({ destroyed, readableEnded }) => !destroyed && !readableEnded).length;
}

/** Keeps as many open for `ms`, each opened again when it is closed; writes again `againMs` after the answer. Resolves to what was seen. */
export async function keepOpen(spec: Spec, ms: number, againMs?: number): Promise<string> {
  const open = new Set<Socket>();
  let [closed, over] = [0, false];
  const keep = (place: number) => {
    const socket = openSocket(spec, place);
    open.add(socket);
    if (againMs !== undefined)
      socket.on('data', () => setTimeout(() => socket.write(spec.write ?? ''), againMs));
    socket.once('close', () => {
      open.delete(socket);
      if (over) return;
      closed++;
      // Not at once: whoever attacks has other connections to look after.
      setTimeout(keep, 100, place);
    });
  };
  for (let place = 0; place < spec.count; place++) keep(place);
  await delay(ms);
  over = true;
  const left = open.size;
  close([...open]);
  return `${left} of ${spec.count} are open after ${ms / 1000} s, ${closed} were closed meanwhile`;
}

export const close = (sockets: readonly Socket[]): void => {
  for (const socket of sockets) socket.destroy();
};
