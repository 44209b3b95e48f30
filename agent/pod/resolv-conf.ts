import { readFileSync } from 'node:fs';
import type { HostPort } from '../address.ts';
import { addressFamily } from '../address-family.ts';
import { errnoOf } from '../errors.ts';

/** The parts of resolv.conf(5) for a stub resolver that queries absolute names only. */
export interface ResolvConf {
  /** Addresses in the order of the queries. */
  readonly nameservers: readonly string[];
  /** The search list; of several `search` lines the last counts. */
  readonly search: readonly string[];
}

/** Reads resolv.conf(5). Lines it does not know are skipped, as the C library does. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  let search: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    const [address] = values;
    if (keyword === 'nameserver' && address && addressFamily(address.split('%', 1)[0] ?? ''))
      nameservers.push(address);
    if (keyword === 'search') search = values.map((name) => name.replace(/\.$/, ''));
  }
  return { nameservers, search };
}

/** The name servers of this machine, in the order of the queries: without a nameserver line, and without the file, 127.0.0.1. */
export function systemNameservers(path = '/etc/resolv.conf'): HostPort[] {
  const { nameservers } = parseResolvConf(readIfThere(path));
  return (nameservers.length > 0 ? nameservers : ['127.0.0.1']).map((host) => ({ host, port: 53 }));
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}
