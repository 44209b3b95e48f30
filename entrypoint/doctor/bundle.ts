/** The data for a maintainer, as one text without secrets. */
import { spawnSync } from 'node:child_process';
import { constants, readFileSync } from 'node:fs';
import { messageOf } from '../../agent/errors.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { askAgent } from '../running-pod/ask-agent.ts';
import { connectBroker } from '../running-pod/connect-broker.ts';
import type { FoundDirectory } from '../running-pod/find-run-directory.ts';
import { environmentText, redact } from './redact.ts';

export interface BundleInput {
  readonly directory: FoundDirectory;
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
    ['broker.toml', readText(directory.brokerToml, inPlace)],
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

async function statusText(directory: FoundDirectory): Promise<string> {
  try {
    return JSON.stringify(JSON.parse((await askAgent(directory, '/status')).body), null, 2);
  } catch (error) {
    return messageOf(error);
  }
}

async function brokerLog(directory: FoundDirectory): Promise<string> {
  try {
    using client = await connectBroker(directory, { signal: AbortSignal.timeout(1000) });
    const lines: unknown[] = [];
    const log = client.stream(
      'log.dmesg',
      { follow: false },
      { text: true, signal: AbortSignal.timeout(2000) },
    );
    for await (const line of log) lines.push(line);
    return lines.join('\n');
  } catch (error) {
    return `it cannot be read: ${messageOf(error)}`;
  }
}

/** In another user's directory its place may hold a link to any file, or a pipe without a writer. */
const inPlace = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

function readText(path: string, flag: number = constants.O_RDONLY): string {
  try {
    return readFileSync(path, { encoding: 'utf8', flag });
  } catch (error) {
    return `${messageOf(error)}\n`;
  }
}
