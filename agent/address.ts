/** A socket address. `host` is a name, an IPv4 address, or an IPv6 address without its brackets. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT` or `[IPv6]:PORT`; with `defaultPort`, the port and the brackets may be left out. */
export function parseHostPort(value: string, defaultPort?: number): HostPort | undefined {
  const match =
    /^\[([0-9a-f:.%]+)\](?::(\d{1,5}))?$/i.exec(value) ??
    /^([^\s:[\]]+)(?::(\d{1,5}))?$/.exec(value) ??
    (defaultPort === undefined ? null : /^([0-9a-f:.]*:[0-9a-f:.]*)$/i.exec(value));
  const port = match?.[2] === undefined ? defaultPort : Number(match[2]);
  if (match?.[1] === undefined || port === undefined || port > 65_535) return undefined;
  return { host: match[1], port };
}

/** Its colons distinguish an IPv6 address from a name and from IPv4. */
export const isIPv6 = (host: string): boolean => host.includes(':');

/** A host before a `:PORT`: an IPv6 address in brackets (RFC 3986, 3.2.2). */
export const bracketed = (host: string): string => (isIPv6(host) ? `[${host}]` : host);

/** An address or a name that is reached only from the pod itself. */
export const isLoopback = (host: string | undefined): boolean =>
  host !== undefined && (host === 'localhost' || host === '::1' || loopbackIPv4.test(host));

/** 127.0.0.0/8. */
const loopbackIPv4 = /^127(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;
