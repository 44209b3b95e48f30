/**
 * The readers of the values of settings. Each takes the text of a flag or an environment variable, and TOML's text, numbers and lists, and
 * returns one typed value; undefined refuses what it is given. They are functions of their own, and no schemas of zod: to load zod and to
 * make a schema for each setting took 3 ms of the 39 to the broker's start.
 */
import { type HostPort, parseHostPort } from '../address.ts';
import { addressFamily } from '../address-family.ts';
import { parseDuration } from '../duration.ts';

export type Read<Value> = (raw: unknown) => Value | undefined;

const ofText =
  <Value>(read: (text: string) => Value | undefined): Read<Value> =>
  (raw) =>
    typeof raw === 'string' ? read(raw) : undefined;

/** Text that `pattern` is found in. */
export const matching = (pattern: RegExp): Read<string> =>
  ofText((text) => (pattern.test(text) ? text : undefined));

export const oneOf = <const Choice extends string>(choices: readonly Choice[]): Read<Choice> =>
  ofText((text) => choices.find((choice) => choice === text));

/** A whole number from `least` to `most`, both included. */
export const wholeNumber =
  (least: number, most: number): Read<number> =>
  (raw) => {
    const value = typeof raw === 'string' && /^\d{1,15}$/.test(raw) ? Number(raw) : raw;
    return isWhole(value) && value >= least && value <= most ? value : undefined;
  };

const isWhole = (value: unknown): value is number => Number.isInteger(value);

/** A DNS label of a Service, a namespace or a cluster (RFC 1123: 1-63 of a-z, 0-9 and inner hyphens). */
export const label = matching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);

/** A domain name of one or more labels, with or without its closing dot, which is dropped. */
export const domainName = ofText((name) =>
  /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\.?$/i.test(name)
    ? name.replace(/\.$/, '')
    : undefined,
);

/** An IPv4 or IPv6 address; the link of a link-local one (`%eth0`) is none of it. */
export const address = ofText((text) => (addressFamily(text) === 0 || text.includes('%') ? undefined : text));

export const text = matching(/\S/);

export const absolutePath = matching(/^\/[^\0]*$/);

/** sockaddr_un has room for so many bytes besides the closing zero (unix(7)). */
const longestSocketPath = 107;

/** The path of a local socket, as such or as Flux's URI of it, `local://PATH`. */
export const localSocket = ofText((value) => {
  const path = absolutePath(value.replace(/^local:\/\//, ''));
  return path !== undefined && Buffer.byteLength(path) <= longestSocketPath ? path : undefined;
});

/** Words separated by white space, or a TOML list of them. */
export const words: Read<readonly string[]> = (raw) => {
  if (typeof raw === 'string') return raw.match(/\S+/g) ?? [];
  return Array.isArray(raw) && raw.every((word) => typeof word === 'string') ? raw : undefined;
};

/** A duration in seconds (Infinity for `inf`), from an RFC 23 Flux Standard Duration. */
export const duration: Read<number> = (raw) => {
  const seconds = typeof raw === 'string' ? parseDuration(raw) : raw;
  return typeof seconds === 'number' && seconds >= 0 ? seconds : undefined;
};

export const hostPort = ofText((value) => {
  const parsed = parseHostPort(value);
  return parsed && parsed.port > 0 ? parsed : undefined;
});

/** Name servers in the order of the queries; the port is 53 unless given. */
export const nameservers: Read<readonly HostPort[]> = (raw) => {
  const values = words(raw) ?? [];
  const servers = values
    .map((value) => parseHostPort(value, 53))
    .filter((server) => server !== undefined)
    .filter(({ host, port }) => addressFamily(host) !== 0 && port > 0);
  return servers.length === values.length && servers.length > 0 ? servers : undefined;
};

/** What the instance may schedule on, on each pod. */
export type Resources =
  | { readonly from: 'auto' }
  | { readonly from: 'discovery' }
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'counts'; readonly cores: number; readonly gpus: number };

export const resources = ofText((value): Resources | undefined => {
  if (value === 'auto') return { from: 'auto' };
  if (value === 'discover') return { from: 'discovery' };
  if (value.startsWith('/')) return { from: 'file', path: value };
  const [, cores, gpus = 0] = /^cores=(\d{1,6})(?:[, ]+gpus=(\d{1,6}))?$/.exec(value) ?? [];
  return Number(cores) > 0 ? { from: 'counts', cores: Number(cores), gpus: Number(gpus) } : undefined;
});

/** A pod that has failed exits, or is held for a person to look into, for at most `seconds`. */
export type OnFailure = { readonly hold: false } | { readonly hold: true; readonly seconds: number };

export const onFailure = ofText((value): OnFailure | undefined => {
  if (value === 'exit') return { hold: false };
  if (value === 'hold') return { hold: true, seconds: Number.POSITIVE_INFINITY };
  const seconds = value.startsWith('hold:') ? parseDuration(value.slice('hold:'.length)) : undefined;
  return seconds === undefined ? undefined : { hold: true, seconds };
});

/** The address of a server, or `off`. */
export const listen = ofText((value): HostPort | 'off' | undefined =>
  value === 'off' ? value : parseHostPort(value),
);
