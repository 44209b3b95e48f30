import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

/** POSIX error numbers that the protocol itself gives a meaning (RFC 3, RFC 6). */
export const Errno = {
  noEntry: constants.errno.ENOENT,
  permission: constants.errno.EPERM,
  invalid: constants.errno.EINVAL,
  noService: constants.errno.ENOSYS,
  /** What a broker answers to all but a few requests while it is not online: before its state is `init`. */
  tryAgain: constants.errno.EAGAIN,
  /** The orderly end of a stream of responses. */
  endOfStream: constants.errno.ENODATA,
  protocol: constants.errno.EPROTO,
  connectionReset: constants.errno.ECONNRESET,
  timedOut: constants.errno.ETIMEDOUT,
  unreachable: constants.errno.EHOSTUNREACH,
  /** What the KVS says of a namespace that there is not. */
  notSupported: constants.errno.ENOTSUP,
  /** An answer that is over the limit of this side. */
  tooLong: constants.errno.EMSGSIZE,
  canceled: constants.errno.ECANCELED,
} as const;

/**
 * What Flux answers in place of a result: a POSIX error number, and Flux's own words where it has some. Also what becomes of
 * requests that cannot be answered, because the connection went or the time ran out.
 */
export class FluxError extends Error {
  override readonly name = 'FluxError';
  readonly errnum: number;
  /** `ENOENT` and its like. */
  readonly errno: string;
  /** The topic of the request, where there was one. */
  readonly topic: string | undefined;

  constructor(errnum: number, options: { topic?: string; text?: string; cause?: unknown } = {}) {
    const [errno, meaning] = getSystemErrorMap().get(-errnum) ?? [`errno ${errnum}`, 'unknown error'];
    const subject = options.topic === undefined ? '' : `${options.topic}: `;
    super(`${subject}${options.text || `${meaning} (${errno})`}`, { cause: options.cause });
    this.errnum = errnum;
    this.errno = errno;
    this.topic = options.topic;
  }
}

/** Flux's own words, without the topic. */
export const detailOf = ({ message, topic }: FluxError): string =>
  topic !== undefined && message.startsWith(`${topic}: `) ? message.slice(topic.length + 2) : message;

const outages: readonly string[] = [
  ...['ENOSYS', 'ECONNRESET', 'ECONNREFUSED', 'EHOSTUNREACH', 'ECANCELED', 'EPIPE', 'ETIMEDOUT'],
];

/** Whether Flux could not be asked or has not answered, rather than that it refused. */
export const isOutage = (error: unknown): boolean =>
  error instanceof FluxError && outages.includes(error.errno);

/** Bytes that are no message, or a message that breaks RFC 3. The connection they came from is of no more use. */
export class FluxProtocolError extends Error {
  override readonly name = 'FluxProtocolError';
}
