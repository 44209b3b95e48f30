/**
 * The schemas of the values of settings. Each accepts the text of a flag or an environment variable, and TOML's text, numbers and lists, and
 * yields one typed value. A schema is made where a value is read: few settings are set, and on the way to the broker each takes time.
 */
import * as z from 'zod/mini';
import { type HostPort, parseHostPort } from '../address.ts';
import { addressFamily } from '../address-family.ts';
import { parseDuration } from '../duration.ts';

const digits = () => z.pipe(z.string().check(z.regex(/^\d{1,15}$/)), z.transform(Number));

/** A whole number from `least` to `most`, both included. */
export const wholeNumber = (least: number, most: number) =>
  z.pipe(z.union([z.number(), digits()]), z.int().check(z.minimum(least), z.maximum(most)));

/** A DNS label of a Service, a namespace or a cluster (RFC 1123: 1-63 of a-z, 0-9 and inner hyphens). */
export const label = () => z.string().check(z.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/));

/** A domain name of one or more labels, with or without its closing dot, which is dropped. */
export const domainName = () =>
  z.pipe(
    z.string().check(z.regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\.?$/i)),
    z.transform((name: string) => name.replace(/\.$/, '')),
  );

export const text = () => z.string().check(z.regex(/\S/));

export const absolutePath = () => z.string().check(z.regex(/^\/[^\0]*$/));

/** sockaddr_un has room for so many bytes besides the closing zero (unix(7)). */
const longestSocketPath = 107;

/** The path of a local socket, as such or as Flux's URI of it, `local://PATH`. */
export const localSocket = () =>
  z.pipe(
    z.string(),
    z.transform((value: string, context) => {
      const path = value.replace(/^local:\/\//, '');
      if (/^\/[^\0]*$/.test(path) && Buffer.byteLength(path) <= longestSocketPath) return path;
      context.issues.push({ code: 'custom', input: value, message: 'not a local socket' });
      return z.NEVER;
    }),
  );

/** Words separated by white space, or a TOML list of them. */
export const words = () =>
  z.pipe(
    z.union([z.string(), z.array(z.string())]),
    z.transform((value: string | string[]): readonly string[] =>
      typeof value === 'string' ? (value.match(/\S+/g) ?? []) : value,
    ),
  );

/** A duration in seconds (Infinity for `inf`), from an RFC 23 Flux Standard Duration. */
export const duration = () =>
  z.pipe(
    z.union([z.number(), z.string()]),
    z.transform((value: number | string, context) => {
      const seconds = typeof value === 'number' ? value : parseDuration(value);
      if (seconds !== undefined && seconds >= 0) return seconds;
      context.issues.push({ code: 'custom', input: value, message: 'not a duration' });
      return z.NEVER;
    }),
  );

export const hostPort = () =>
  z.pipe(
    z.string(),
    z.transform((value: string, context) => {
      const parsed = parseHostPort(value);
      if (parsed && parsed.port > 0) return parsed;
      context.issues.push({ code: 'custom', input: value, message: 'not HOST:PORT' });
      return z.NEVER;
    }),
  );

/** Name servers in the order of the queries; the port is 53 unless given. */
export const nameservers = () =>
  z.pipe(
    words(),
    z.transform((values: readonly string[], context): readonly HostPort[] => {
      const servers = values
        .map((value) => parseHostPort(value, 53))
        .filter((server) => server !== undefined)
        .filter(({ host, port }) => addressFamily(host) !== 0 && port > 0);
      if (servers.length === values.length && servers.length > 0) return servers;
      context.issues.push({ code: 'custom', input: values, message: 'not a list of addresses' });
      return z.NEVER;
    }),
  );

/** What the instance may schedule on, on each pod. */
export type Resources =
  | { readonly from: 'auto' }
  | { readonly from: 'discovery' }
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'counts'; readonly cores: number; readonly gpus: number };

export const resources = () =>
  z.pipe(
    z.string(),
    z.transform((value: string, context): Resources => {
      if (value === 'auto') return { from: 'auto' };
      if (value === 'discover') return { from: 'discovery' };
      if (value.startsWith('/')) return { from: 'file', path: value };
      const counts = /^cores=(\d{1,6})(?:[, ]+gpus=(\d{1,6}))?$/.exec(value);
      if (counts && Number(counts[1]) > 0) {
        return { from: 'counts', cores: Number(counts[1]), gpus: Number(counts[2] ?? 0) };
      }
      context.issues.push({ code: 'custom', input: value, message: 'not resources' });
      return z.NEVER;
    }),
  );

/** A pod that has failed exits, or is held for a person to look into, for at most `seconds`. */
export type OnFailure = { readonly hold: false } | { readonly hold: true; readonly seconds: number };

export const onFailure = () =>
  z.pipe(
    z.string(),
    z.transform((value: string, context): OnFailure => {
      if (value === 'exit') return { hold: false };
      if (value === 'hold') return { hold: true, seconds: Number.POSITIVE_INFINITY };
      const seconds = value.startsWith('hold:') ? parseDuration(value.slice('hold:'.length)) : undefined;
      if (seconds !== undefined) return { hold: true, seconds };
      context.issues.push({ code: 'custom', input: value, message: 'not exit or hold' });
      return z.NEVER;
    }),
  );

/** The address of a server, or `off`. */
export const listen = () =>
  z.pipe(
    z.string(),
    z.transform((value: string, context): HostPort | 'off' => {
      if (value === 'off') return 'off';
      const parsed = parseHostPort(value);
      if (parsed) return parsed;
      context.issues.push({ code: 'custom', input: value, message: 'not HOST:PORT or off' });
      return z.NEVER;
    }),
  );
