/**
 * Attacks on one pod, one after the other, each on a pod of its own: what agent and broker took meanwhile, and how long a new client from
 * another address waited for the probes. Beside it what the same attack did to the version before its defence.
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { selfSigned } from '../../support/agent/self-signed.ts';
import { type Bed, bedUnavailable, createBed } from '../../support/bed/bed.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { everyFlux, type Flux, startMiniCluster } from '../../support/project/flux-pod.ts';
import { row } from '../table.ts';
import { apiConnections } from './api.ts';
import { apiOutput } from './api-output.ts';
import { health } from './health.ts';
import { measure } from './measure.ts';
import type { Attack, Target } from './target.ts';

/** Another attack is one more row. */
const attacks: readonly Attack[] = [...health, ...apiConnections, ...apiOutput];

/** Addresses of this machine in the network of the pods, beside the one of their name server. */
const ownAddresses = 64;

/** `npm run bench -- attack [PART OF A NAME]` */
export async function attack(): Promise<void> {
  const unavailable = bedUnavailable();
  const flux = everyFlux().at(-1);
  if (unavailable || !flux) return console.log(`attack: SKIPPED, ${unavailable ?? 'there is no flux'}`);
  await using bed = await createBed();
  const addresses = addAddresses(bed);
  console.log(`attacks on one pod with ${flux.name}; memory is RSS in MiB, the probes are asked every 50 ms`);
  const columns = ['agent', 'peak', 'after', 'broker', 'peak', 'CPU, ms', 'probe, ms', 'most', 'failed'];
  console.log(row('', columns));
  const wanted = process.argv[3] ?? '';
  for (const each of attacks.filter(({ name }) => name.includes(wanted))) {
    const target = await start(bed, flux, each, addresses);
    const { cells, seen } = await measure(target, each);
    console.log(row(each.name, cells));
    console.log(`    seen by the attacker: ${seen}`);
    console.log(`    before: ${each.before}`);
    await target.pod.kill();
  }
}

let started = 0;

/** A leader that runs without its follower, which is never started: it serves parent links as well. */
async function start(bed: Bed, flux: Flux, { api, command }: Attack, addresses: string[]) {
  const withApi = {
    FLUX_POD_API: 'on',
    FLUX_POD_API_TOKENS: '/etc/flux-pod/api',
    FLUX_POD_API_RATE: '100000',
  };
  const withTls = {
    FLUX_POD_API_TLS_CERT: '/etc/flux-pod/tls/tls.crt',
    FLUX_POD_API_TLS_KEY: '/etc/flux-pod/tls/tls.key',
  };
  const { cert, key } = selfSigned();
  const [pod] = startMiniCluster(bed, {
    size: 1,
    flux,
    cluster: `attacked-${++started}`,
    command: command ?? ['sh', '-c', 'echo up; exec sleep 1000000'],
    env: { FLUX_POD_SIZE: '2', FLUX_POD_MIN_SIZE: '1', ...(api && withApi), ...(api === 'tls' && withTls) },
    pod: () => ({
      mounts: {
        '/etc/flux-pod/api/write': { content: `${tokens.write}\n`, mode: 0o400 },
        '/etc/flux-pod/tls/tls.crt': { content: cert, mode: 0o400 },
        '/etc/flux-pod/tls/tls.key': { content: key, mode: 0o400 },
        '/etc/flux-pod/api/read': { content: `# read\n${tokens.read}\n`, mode: 0o400 },
      },
    }),
  }) as [Pod];
  await pod.waitForOutput(/^up$/m, 30_000);
  await delay(2000);
  const [probing = '', ...own] = addresses;
  return { pod, tokens, addresses: own, probing } satisfies Target;
}

const tokens = { write: 'write-0123456789abcdef', read: 'read-0123456789abcdef' };

function addAddresses(bed: Bed): string[] {
  const network = `10.88.${bed.name.replace('fpb', '')}`;
  const addresses = Array.from({ length: ownAddresses }, (_, place) => `${network}.${254 - place}`);
  const lines = addresses.map((address) => `address add ${address}/24 dev ${bed.name}\n`);
  execFileSync('ip', ['-batch', '-'], { input: lines.join('') });
  return addresses;
}
