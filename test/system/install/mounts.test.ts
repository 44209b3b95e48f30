import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatCertificate } from '../../../agent/broker/certificate/curve-certificate.ts';
import { createCertificate } from '../../../agent/broker/certificate/key-pair.ts';
import { fluxPod, statusOf, until } from '../../support/bed/ask-pod.ts';
import { type Bed, bedUnavailable, createBed } from '../../support/bed/bed.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { isReady } from '../../support/bed/running-cluster.ts';
import {
  certificateMount,
  exitCodes,
  firstChoice,
  installFluxPod,
  logsOf,
  startMiniCluster,
} from '../../support/project/flux-pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: mounted files of whole pods. ${unavailable}`);

/** A directory as the kubelet mounts a ConfigMap: each key a symlink into `..data`, itself a symlink to a version. */
const directory = '/etc/mounted';
const linkKeys = `ln -s ..v1 ${directory}/..data; ln -s ..data/extra.toml ${directory}/extra.toml`;

/** Swaps `..data` as the kubelet does (pkg/volume/util/atomic_writer.go). */
async function swap(pod: Pod, version: string, content: string): Promise<void> {
  const script = `set -e; cd ${directory}; mkdir ..${version}; cat >..${version}/extra.toml <<'EOT'
${content}
EOT
old=$(readlink ..data); ln -s ..${version} ..data_tmp; mv -T ..data_tmp ..data; rm -r "$old"`;
  const { code, stderr } = await pod.exec(['sh', '-c', script]);
  expect(code, stderr).toBe(0);
}

async function mountCertificate(pod: Pod, content: string): Promise<void> {
  // As an argument, since Z85 has quotes and dollars of its own.
  const script = 'printf %s "$2" >"$1.new"; chmod 400 "$1.new"; mv "$1.new" "$1"';
  const { code, stderr } = await pod.exec(['sh', '-c', script, 'sh', certificateMount, content]);
  expect(code, stderr).toBe(0);
}

const remarks = async (pod: Pod): Promise<string[]> => (await statusOf(pod)).remarks.map(({ what }) => what);

describe.skipIf(unavailable)('files that change while a broker runs', () => {
  const flux = firstChoice();
  let bed: Bed;
  let pod: Pod;
  let pods: Pod[] = [];
  beforeAll(async () => {
    bed = await createBed();
    const run = join(installFluxPod(), 'flux-pod');
    pods = startMiniCluster(bed, {
      size: 2,
      flux,
      jobs: false,
      command: [],
      env: { FLUX_POD_BROKER_CONFIG: `${directory}/extra.toml` },
      pod: () => ({
        mounts: { [`${directory}/..v1/extra.toml`]: { content: '[archive]\nperiod = "1m"\n' } },
        command: ['sh', '-c', `${linkKeys}; exec ${run} run -- sh -c 'echo up; exec sleep 1000'`],
      }),
    });
    [pod] = pods as [Pod];
    await pod.waitForOutput(/^up$/m);
    await isReady(pod);
  });
  afterAll(async () => {
    await Promise.all(pods.map((each) => each.kill()));
    await bed?.close();
  });

  const inUse = async () =>
    (await fluxPod(pod, 'shell', '--', 'flux', 'config', 'get', 'archive.period')).stdout.trim();

  it('what Flux can reload is reloaded', async () => {
    if (flux.real) expect(await inUse()).toBe('1m');
    await swap(pod, 'v2', '[archive]\nperiod = "2m"');
    const { answer } = await until(
      () => remarks(pod),
      (said) => said.length > 0,
    );
    expect(answer).toEqual(['The broker has reloaded archive']);
    if (flux.real) expect(await inUse()).toBe('2m');
  });

  it.each([
    ['is no TOML', 'v3', '[archive\n', /is not used: .*FLUX_POD_BROKER_CONFIG/],
    ['says what flux-pod must own', 'v4', '[bootstrap]\ndefault_port = 1\n', /is not used: .*FLUX_POD_PORT/],
  ])('a new file that %s changes nothing, and that is said', async (_, version, content, said) => {
    const before = (await remarks(pod)).length;
    await swap(pod, version, content);
    const { answer } = await until(
      () => remarks(pod),
      (all) => all.length > before,
    );
    expect(answer.at(-1)).toMatch(said);
    if (flux.real) expect(await inUse()).toBe('2m');
  });

  it('another certificate is for the next start of all pods, a broken one for none', async () => {
    const write = async (content: string) => {
      const before = (await remarks(pod)).length;
      await mountCertificate(pod, content);
      return (
        await until(
          () => remarks(pod),
          (all) => all.length > before,
        )
      ).answer.at(-1);
    };
    expect(await write(formatCertificate(createCertificate({ name: 'other' })))).toMatch(
      /holds another certificate: restart all pods together/,
    );
    expect(await write('metadata\ncurve\n')).toMatch(/has changed, and is not used: /);
    const { stdout } = await fluxPod(pod, 'status');
    expect(stdout).toMatch(/^broker +run/m);
    expect(stdout).toMatch(/^warning +\S*curve\.cert/m);
  });
});

describe.skipIf(unavailable)('a certificate that changes before the broker starts', () => {
  it('is the one that all pods use, as log and status say, and the outcome crosses the links that are made from it', async () => {
    await using bed = await createBed();
    const hook = '#!/bin/sh\necho waiting\nuntil [ -e /tmp/go ]; do sleep 0.1; done\n';
    const pods = startMiniCluster(bed, {
      size: 2,
      flux: firstChoice(),
      jobs: false,
      command: ['sh', '-c', 'echo up; exit 7'],
      env: { FLUX_POD_HOOKS: '/etc/hooks' },
      pod: () => ({ mounts: { '/etc/hooks/leader-pre': { content: hook, mode: 0o755 } } }),
    });
    const [leader, follower] = pods as [Pod, Pod];
    await leader.waitForOutput(/^waiting$/m);
    await follower.waitForOutput(/Phase await-parent/);
    const renewed = formatCertificate(createCertificate({ name: 'renewed' }));
    for (const pod of pods) await mountCertificate(pod, renewed);
    const { answer } = await until(
      // Probes and status are served a moment after the phase began.
      () => remarks(follower).catch(() => []),
      (all) => all.length > 0,
    );
    expect(answer.join()).toMatch(/holds another certificate: the broker is going to start with it/);
    await leader.exec(['touch', '/tmp/go']);
    for (const pod of pods) await pod.waitForOutput(/starts with the certificate that is mounted now/);
    expect(await exitCodes(pods), logsOf(pods)).toEqual([7, 7]);
  });
});
