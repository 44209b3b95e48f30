/** The kinds of setting: the reader of the value, and what was expected where it is refused. A row of settings.ts names one. */
import {
  absolutePath,
  address,
  domainName,
  duration,
  hostPort,
  label,
  listen,
  localSocket,
  matching,
  nameservers,
  oneOf,
  onFailure,
  type Read,
  resources,
  text,
  wholeNumber,
  words,
} from './value-readers.ts';

export interface Kind<Value> {
  readonly read: Read<Value>;
  /** Completes "expected ..." when a value is refused. */
  readonly expected: string;
  /** Names a secret: a value that is refused may be the secret itself, and is not shown. */
  readonly secret?: true;
  /** All values, where they can be listed. */
  readonly choices?: readonly string[];
}

const kind = <Value>(read: Read<Value>, expected: string): Kind<Value> => ({ read, expected });

export const aWholeNumber = (least: number, most: number, expected = `a whole number from ${least}`) =>
  kind(wholeNumber(least, most), expected);

export const aPort = aWholeNumber(1, 65_535, 'a port from 1 to 65535');

export const aLabel = kind(label, 'a DNS label: a-z, 0-9 and inner hyphens, at most 63');

export const aDomain = kind(domainName, 'a domain name');

export const anAddress = kind(address, 'an IPv4 or IPv6 address');

/** The name fits into IFNAMSIZ (netdevice(7)). */
export const anInterface = kind(matching(/^[^\s/:]{1,15}$/), 'the name of a network interface');

export const aHostPort = kind(hostPort, 'HOST:PORT');

export const aHostPortOrOff = kind(listen, 'HOST:PORT or off');

export const nameserverList = kind(nameservers, 'addresses, each ADDRESS or ADDRESS:PORT');

export const aSocket = kind(localSocket, 'local://PATH or an absolute path, of at most 107 bytes');

export const aPath = kind(absolutePath, 'an absolute path');

/** The path of `what`, which is mounted from a Secret. */
export const aSecret = (what: string): Kind<string> => ({
  ...kind(absolutePath, `the absolute path of ${what}`),
  secret: true,
});

export const aDuration = (examples: string) => kind(duration, `an RFC 23 duration such as ${examples}`);

export const wordList = kind(words, 'words separated by white space');

/** Text that Flux reads. */
export const aText = (expected: string) => kind(text, expected);

export const theResources = kind(
  resources,
  'auto, discover, cores=N, "cores=N gpus=M", or the absolute path of an RFC 20 R file',
);

export const exitOrHold = kind(onFailure, 'exit, hold or hold:DURATION');

export const aChoice = <const Choice extends string>(...choices: readonly Choice[]) => ({
  ...kind(oneOf(choices), `one of ${choices.join(', ')}`),
  choices,
});
