/** What a maintainer would ask for, as one text with the secrets taken out. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { RunDirectory } from '../../agent/broker/run-directory.ts';
import { messageOf } from '../../agent/errors.ts';
import { connectFlux } from '../../agent/flux/client.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { askAgent } from '../running-pod.ts';

export interface BundleInput {
  readonly directory: RunDirectory;
  readonly environment: NodeJS.ProcessEnv;
  /** What the doctor found, and what the configuration is. */
  readonly findings: string;
  readonly configuration: string;
}

export async function makeBundle({
  directory,
  environment,
  findings,
  configuration,
}: BundleInput): Promise<string> {
  const sections: [string, string][] = [
    [
      'versions',
      `flux-pod ${packageJson.version}, Node.js ${process.version}, ${readText('/proc/version').trim()}`,
    ],
    ['doctor', findings],
    ['configuration', configuration],
    ['status', await statusText(directory)],
    ['broker.toml', readText(directory.brokerToml)],
    ['environment', environmentText(environment)],
    ["the broker's log", await brokerLog(directory)],
    ...[
      '/etc/hosts',
      '/etc/resolv.conf',
      '/proc/self/cgroup',
      '/proc/mounts',
      '/proc/net/route',
      '/proc/meminfo',
    ].map((path): [string, string] => [path, readText(path)]),
    [
      'processes',
      spawnSync('ps', ['-eo', 'pid,ppid,user,stat,etimes,rss,comm'], { encoding: 'utf8' }).stdout ??
        'no ps here\n',
    ],
  ];
  return sections.map(([title, text]) => `===== ${title}\n${redact(text).trimEnd()}\n\n`).join('');
}

/** Names of variables whose values are nobody's business. */
const secretName = /TOKEN|SECRET|PASSW|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY|COOKIE|AUTH/i;

/** Takes out what looks like a secret: keys of certificates, bearer tokens, values of variables with such a name. */
export function redact(text: string): string {
  return text
    .replace(/^(\s*secret-key\s*=\s*)"?.*$/gm, '$1"(removed)"')
    .replace(
      /-----BEGIN [^-]*PRIVATE KEY-----[\s\S]*?-----END [^-]*PRIVATE KEY-----/g,
      '(private key removed)',
    )
    .replace(/\b(bearer|basic)\s+[\w.~+/-]{8,}=*/gi, '$1 (removed)')
    .replace(/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, '(token removed)')
    .replace(/(:\/\/[^\s/:@]+:)[^\s@/]+@/g, '$1(removed)@');
}

function environmentText(environment: NodeJS.ProcessEnv): string {
  return Object.entries(environment)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, value]) => `${name}=${secretName.test(name) ? '(removed)' : value}\n`)
    .join('');
}

async function statusText(directory: RunDirectory): Promise<string> {
  try {
    return JSON.stringify(JSON.parse((await askAgent(directory, '/status')).body), null, 2);
  } catch (error) {
    return messageOf(error);
  }
}

async function brokerLog(directory: RunDirectory): Promise<string> {
  try {
    using client = await connectFlux(directory.socket, { signal: AbortSignal.timeout(1000) });
    const lines: unknown[] = [];
    const log = client.stream(
      'log.dmesg',
      { follow: false },
      { text: true, signal: AbortSignal.timeout(2000) },
    );
    for await (const line of log) lines.push(line);
    return lines.join('\n');
  } catch (error) {
    return `not to be had: ${messageOf(error)}`;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return `${messageOf(error)}\n`;
  }
}
