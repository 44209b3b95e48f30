/** A connection to the local socket of a broker: RFC 3, "Message Framing and Security". */
import { createConnection, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Channel, createChannel } from './channel.ts';
import { Errno, FluxError, FluxProtocolError } from './errors.ts';
import { decodeMessage, encodeMessage, type Message } from './flux-message.ts';
import { createDeframer, frame } from './framing.ts';

export interface FluxClient extends Pick<Channel, 'rpc' | 'rpcRaw' | 'stream' | 'subscribe'>, Disposable {
  /** Fulfilled with the reason when the connection has closed. */
  readonly closed: Promise<FluxError>;
  readonly close: () => void;
}

export interface ConnectOptions {
  /** Ends the attempt to connect; its reason is thrown. */
  readonly signal?: AbortSignal;
}

/** connect(2) fails with EAGAIN while the broker's backlog is full (unix(7)): it is retried until the timeout. */
const fullBacklog = { retryMs: 20, timeoutMs: 5000 };

/**
 * Connects to the broker that listens at `socketPath` (its `local-uri` without `local://`). Rejects with a FluxError: the
 * socket's own error, or the errno by which the broker refuses this user.
 */
export async function connectFlux(socketPath: string, options: ConnectOptions = {}): Promise<FluxClient> {
  for (let waitedMs = 0; ; waitedMs += fullBacklog.retryMs) {
    try {
      return await connectOnce(socketPath, options);
    } catch (error) {
      const isFull = error instanceof FluxError && error.errno === 'EAGAIN';
      if (!isFull || waitedMs >= fullBacklog.timeoutMs) throw error;
      await delay(fullBacklog.retryMs * (0.5 + Math.random()));
    }
  }
}

/**
 * The read buffer of all connections: the bytes of a read are processed before the next read (libuv's uv__read calls read(2) right after
 * its allocation callback). With a buffer for each read, a gigabyte leaves tens of megabytes to the garbage collection.
 */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/** Takes the bytes of a read, which are valid until it returns. */
interface Reader {
  take: (bytes: Buffer) => void;
}

async function connectOnce(socketPath: string, { signal }: ConnectOptions): Promise<FluxClient> {
  signal?.throwIfAborted();
  const reader: Reader = { take: () => undefined };
  const callback = (bytes: number) => {
    reader.take(readBuffer.subarray(0, bytes));
    return true;
  };
  const socket = createConnection({ path: socketPath, onread: { buffer: readBuffer, callback } });
  const abort = () => socket.destroy();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const rest = await admission(socket, reader);
    return serve(socket, reader, rest);
  } catch (error) {
    socket.destroy();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** Waits for the byte that admits or refuses. Resolves to the bytes after it. */
function admission(socket: Socket, reader: Reader): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const refuse = (error: Error) => reject(error);
    const fail = (error: NodeJS.ErrnoException) => refuse(socketError(error));
    const end = () => refuse(new FluxError(Errno.connectionReset));
    socket.once('error', fail).once('close', end);
    reader.take = (bytes) => {
      socket.pause().off('error', fail).off('close', end);
      const [errnum = 0] = bytes;
      if (errnum !== 0) return refuse(new FluxError(errnum));
      resolve(Buffer.from(bytes.subarray(1)));
    };
  });
}

function serve(socket: Socket, reader: Reader, rest: Buffer): FluxClient {
  const deframe = createDeframer();
  let reason = new FluxError(Errno.connectionReset, { text: 'the broker has closed the connection' });
  // The requests of one turn of the event loop are one writev(2): a write for each was a sixth of the agent's CPU with 512 submissions at
  // once. Node.js queues bytes that the socket does not take yet; requests are small, and each waits for its response.
  const uncork = () => socket.uncork();
  const channel = createChannel({
    send: (message: Message) => {
      if (socket.writableCorked === 0) {
        socket.cork();
        setImmediate(uncork);
      }
      socket.write(frame(encodeMessage(message)));
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  });
  const receive = (bytes: Buffer) => {
    try {
      for (const message of deframe(bytes)) channel.receive(decodeMessage(message));
    } catch (error) {
      if (!(error instanceof FluxProtocolError)) throw error;
      reason = new FluxError(Errno.protocol, { text: error.message, cause: error });
      socket.destroy();
    }
  };
  const closed = new Promise<FluxError>((resolve) => {
    socket.once('close', () => {
      channel.fail(reason);
      resolve(reason);
    });
  });
  const close = () => {
    reason = new FluxError(Errno.canceled, { text: 'the connection was closed here' });
    socket.destroy();
  };
  socket.on('error', (error) => {
    reason = socketError(error);
  });
  reader.take = receive;
  if (rest.length > 0) receive(rest);
  socket.resume();
  const { rpc, rpcRaw, stream, subscribe } = channel;
  return { rpc, rpcRaw, stream, subscribe, closed, close, [Symbol.dispose]: close };
}

function socketError(error: NodeJS.ErrnoException): FluxError {
  return new FluxError(Math.abs(error.errno ?? Errno.connectionReset), { text: error.message, cause: error });
}
