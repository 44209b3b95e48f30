/**
 * From the start of four pods to the program's first word, as ratios to the brokers' own time: the same brokers, started by a plain shell
 * script, with nothing to wait for. Then what a late DNS, caches of dead addresses, and a lost leader cost, with flux-pod and with that script.
 */
import { join } from 'node:path';
import { formatCertificate } from '../../agent/broker/certificate/curve-certificate.ts';
import { createCertificate } from '../../agent/broker/certificate/key-pair.ts';
import { type Bed, bedUnavailable, createBed, type PodSpec } from '../support/bed/bed.ts';
import type { Pod } from '../support/bed/pod.ts';
import {
  certificateMount,
  type Flux,
  installFluxPod,
  miniCluster,
  realFlux,
} from '../support/project/flux-pod.ts';
import { medianOf, row } from './table.ts';

const size = 4;
const rounds = 5;
/** Of the first row: on a machine that is shared, the medians of five differ by a fifth. */
const roundsInTurn = 15;
const recreations = 10;
const up = ['sh', '-c', 'echo up; exec sleep 100000'];
type StartPod = (index: number) => Pod;
type Way = (bed: Bed, special?: Partial<PodSpec>) => StartPod;

export async function bootstrap(): Promise<void> {
  const unavailable = bedUnavailable();
  const flux = realFlux();
  if (unavailable || !flux)
    return console.log(`bootstrap: SKIPPED, ${unavailable ?? 'there is no real flux'}`);
  const fluxPod: Way = (bed, special) =>
    miniCluster(bed, { size, flux, command: up, pod: () => special ?? {} });
  const script: Way = (bed, special) => startedByScript(bed, flux, special);

  // What no program on Node.js can do without.
  const afterNode: Way = (bed, special) => startedByScript(bed, flux, special, startsAfterNode());
  const [own = 0, agents = 0, node = 0] = await inTurn([script, fluxPod, afterNode]);
  console.log(
    `start of ${size} pods to the program, seconds; ratios to the brokers' own time, ${seconds(own)} s (medians of ${roundsInTurn}, in turn)`,
  );
  console.log(row('', ['flux-pod', 'ratio', 'script', 'ratio']));
  const compare = (name: string, ours: number, theirs: number | undefined) =>
    console.log(
      row(name, [
        seconds(ours),
        (ours / own).toFixed(2),
        theirs ? seconds(theirs) : '-',
        theirs ? (theirs / own).toFixed(2) : '-',
      ]),
    );
  compare('nothing to wait for', agents, own);
  console.log(row('Node.js, then the script', ['-', '-', seconds(node), (node / own).toFixed(2)]));
  const late = { publishAfter: 1000 };
  // Of the pods' records, 1 s late, the last second is not the entrypoint's.
  compare(
    'records 1 s late, denials cached',
    (await median(rounds, () => firstStart(fluxPod, late))) - 1000,
    (await firstStart(script, late)) - 1000,
  );
  const ours = await recreated(fluxPod, recreations);
  const theirs = await recreated(script, 1);
  compare(`re-created ${recreations} times, worst`, Math.max(...ours), Math.max(...theirs));
  compare('leader replaced', await median(rounds, () => leaderReplaced(fluxPod)), undefined);
  compare(
    '40 s late: after the last record',
    (await firstStart(fluxPod, { publishAfter: 40_000 })) - 40_000,
    undefined,
  );
}

/** What CoreDNS does by itself, for a Service that has a named port, as the README's example has. */
const caches = { dns: { negativeTtl: 30, positiveTtl: 30, servicePort: 8050 } };

async function firstStart(way: Way, special?: Partial<PodSpec>): Promise<number> {
  await using bed = await createBed(caches);
  return await timeToRun(way(bed, special));
}

async function timeToRun(startPod: StartPod): Promise<number> {
  const startedAt = performance.now();
  const pods = Array.from({ length: size }, (_, index) => startPod(index));
  await pods[0]?.waitForOutput(/^up$/m, 120_000);
  const took = performance.now() - startedAt;
  await Promise.all(pods.map((pod) => pod.remove()));
  return took;
}

/** The same names again and again: caches hold the addresses of the dead, which swallow packets. */
async function recreated(way: Way, times: number): Promise<number[]> {
  await using bed = await createBed(caches);
  const startPod = way(bed);
  await timeToRun(startPod);
  const took: number[] = [];
  for (let time = 0; time < times; time++) took.push(await timeToRun(startPod));
  return took;
}

/** A record appears when the pod's network is there, as in Kubernetes: a SYN to an address without one waits a second for the next ARP request. */
async function leaderReplaced(way: Way): Promise<number> {
  await using bed = await createBed(caches);
  const startPod = way(bed, { publishAfter: 100 });
  const pods = Array.from({ length: size }, (_, index) => startPod(index));
  await pods[0]?.waitForOutput(/^up$/m, 60_000);
  await pods[0]?.remove();
  const startedAt = performance.now();
  await startPod(0).waitForOutput(/^up$/m, 60_000);
  return performance.now() - startedAt;
}

/** What the usual entrypoint comes down to: the same broker.toml with the peers' names in it, and the broker. */
function startedByScript(
  bed: Bed,
  flux: Flux,
  special: Partial<PodSpec> = {},
  starts: readonly string[] = [],
): StartPod {
  const certificate = formatCertificate(createCertificate({ name: 'mc' }));
  const script = `#!/bin/sh
set -e
mkdir -p /run/flux/run
cp ${certificateMount} /run/flux/curve.cert; chmod 600 /run/flux/curve.cert
cat >/run/flux/broker.toml <<EOT
[bootstrap]
curve_cert = "/run/flux/curve.cert"
default_port = 8050
default_bind = "tcp://eth0:%p"
default_connect = "tcp://%h.flux-service.default.svc.cluster.local:%p"
hosts = [{ host = "mc-[0-${size - 1}]" }]
EOT
exec ${flux.path} broker --config-path=/run/flux/broker.toml -Srundir=/run/flux/run -Sbroker.quorum=${size} "$@"
`;
  return (index) =>
    bed.startPod({
      cluster: 'mc',
      index,
      command: [...starts, '/etc/entrypoint.sh', ...(index === 0 ? up : [])],
      ...special,
      mounts: {
        [certificateMount]: { content: certificate, mode: 0o400 },
        '/etc/entrypoint.sh': { content: script, mode: 0o755 },
      },
    });
}

/** A Node.js that only starts what follows. */
const startsAfterNode = (): readonly string[] => [join(installFluxPod(), 'node'), '-e', startsTheRest, '--'];
const startsTheRest = `require('node:child_process').spawn(process.argv[1], process.argv.slice(2), { stdio: 'inherit' })`;

/** The median of each way's first starts. */
async function inTurn(ways: readonly Way[]): Promise<number[]> {
  const values = ways.map((): number[] => []);
  for (let round = 0; round < roundsInTurn; round++)
    for (const [place, way] of ways.entries()) values[place]?.push(await firstStart(way));
  return values.map(medianOf);
}

async function median(times: number, measure: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let time = 0; time < times; time++) values.push(await measure());
  return medianOf(values);
}

const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(2);
