import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

/** POSIX error numbers with a meaning in the protocol (RFC 3, RFC 6). */
export const Errno = {
  noEntry: constants.errno.ENOENT,
  permission: constants.errno.EPERM,
  invalid: constants.errno.EINVAL,
  noService: constants.errno.ENOSYS,
  /** A broker's answer to most requests before its state is `init`. */
  tryAgain: constants.errno.EAGAIN,
  /** The orderly end of a stream of responses. */
  endOfStream: constants.errno.ENODATA,
  protocol: constants.errno.EPROTO,
  connectionReset: constants.errno.ECONNRESET,
  timedOut: constants.errno.ETIMEDOUT,
  unreachable: constants.errno.EHOSTUNREACH,
  /** The KVS's answer for a namespace that does not exist. */
  notSupported: constants.errno.ENOTSUP,
  /** A response beyond the limit of this side. */
  tooLong: constants.errno.EMSGSIZE,
  canceled: constants.errno.ECANCELED,
} as const;

/**
 * Flux's error response: a POSIX error number, and Flux's own message where there is one. Also the error of a request without a response,
 * because the connection closed or the timeout passed.
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

/** Flux's own message, without the topic. */
export const detailOf = ({ message, topic }: FluxError): string =>
  topic !== undefined && message.startsWith(`${topic}: `) ? message.slice(topic.length + 2) : message;

const outages: readonly string[] = [
  ...['ENOSYS', 'ECONNRESET', 'ECONNREFUSED', 'EHOSTUNREACH', 'ECANCELED', 'EPIPE', 'ETIMEDOUT'],
];

/** Whether Flux could not be reached or did not answer, rather than refused. */
export const isOutage = (error: unknown): boolean =>
  error instanceof FluxError && outages.includes(error.errno);

/** Bytes that are no message, or a message that breaks RFC 3. Their connection cannot be used any longer. */
export class FluxProtocolError extends Error {
  override readonly name = 'FluxProtocolError';
}
