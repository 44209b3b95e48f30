import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { afterAll, describe, expect, it } from 'vitest';
import type { HostPort } from '../../../agent/address.ts';
import { brokerConfig } from '../../../agent/broker/config/broker-config.ts';
import { membershipOf } from '../../../agent/broker/membership.ts';
import type { PodFacts } from '../../../agent/pod/facts.ts';
import { configurationOf, type Given } from '../../support/agent/configuration.ts';

const directory = mkdtempSync(join(tmpdir(), 'broker-config-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const domain = 'flux-service.default.svc.cluster.local';

/** broker.toml of a pod with these settings, parsed. */
function brokerToml(set: Given, parentAddress?: HostPort, facts: Partial<PodFacts> = {}) {
  const configuration = configurationOf(set, facts);
  return parse(brokerConfig(configuration, membershipOf(configuration), '/run/curve.cert', parentAddress));
}

let made = 0;
function userFile(text: string): string {
  const path = join(directory, `${++made}.toml`);
  writeFileSync(path, text);
  return path;
}

describe('the broker.toml of a pod', () => {
  it('has no certificate, and no parent, where the pod is alone', () => {
    expect(brokerToml({ size: 1 })).toEqual({
      bootstrap: {
        default_port: 8050,
        default_bind: 'tcp://10.88.0.2:%p',
        default_connect: `tcp://%h.${domain}:%p`,
        hosts: [{ host: 'mc-0' }],
      },
      tbon: { topo: 'custom', connect_timeout: '5s' },
    });
  });

  it('names as many hosts as the instance can grow to, and then the certificate', () => {
    expect(brokerToml({ size: 1, maxSize: 10, resources: 'cores=2' })).toMatchObject({
      bootstrap: { curve_cert: '/run/curve.cert', hosts: [{ host: 'mc-[0-9]' }] },
      resource: { config: [{ hosts: 'mc-[0-9]', cores: '0-1' }] },
    });
  });

  it.each([
    ['its leader in a flat tree', { index: 3 }, 'mc-0'],
    ['its own parent in a deep tree', { index: 3, topo: 'kary:2' }, 'mc-1'],
  ])('pins the verified address of %s, on a follower', (_, set, host) => {
    const toml = brokerToml({ size: 4, ...set }, { host: '10.88.0.7', port: 8050 });
    expect(toml.bootstrap).toMatchObject({
      hosts: [{ host: 'mc-[0-3]' }, { host, connect: 'tcp://10.88.0.7:8050' }],
    });
  });

  it('pins nothing before the address is verified, nor ever on the leader', () => {
    const hosts = [{ host: 'mc-[0-3]' }];
    expect(brokerToml({ size: 4, index: 3 }).bootstrap).toMatchObject({ hosts });
    const leader = brokerToml({ size: 4 }, { host: '10.88.0.7', port: 8050 });
    expect(leader.bootstrap).toMatchObject({ hosts });
  });

  it('is for IPv6 where the pod has such an address', () => {
    const toml = brokerToml({ size: 2, index: 1, address: 'fd88::3' }, { host: 'fd88::2', port: 8050 });
    expect(toml.bootstrap).toMatchObject({
      enable_ipv6: true,
      default_bind: 'tcp://[fd88::3]:%p',
      hosts: [{ host: 'mc-[0-1]' }, { host: 'mc-0', connect: 'tcp://[fd88::2]:8050' }],
    });
  });

  it('names FQDNs, and adds nothing to them, under setHostnameAsFQDN', () => {
    const toml = brokerToml({ size: 2 }, undefined, { hostname: `mc-0.${domain}` });
    expect(toml.bootstrap).toMatchObject({
      default_connect: 'tcp://%h:%p',
      hosts: [{ host: `mc-[0-1].${domain}` }],
    });
  });

  it('has resources go unverified where the hostname is not the name in the list', () => {
    const toml = brokerToml(
      { size: 2, cluster: 'mc', index: 1, service: 'flux', resources: 'cores=1' },
      undefined,
      {
        hostname: 'ip-10-0-0-7',
      },
    );
    expect(toml.resource).toEqual({ config: [{ hosts: 'mc-[0-1]', cores: '0' }], noverify: true });
  });

  it.each([
    ['a leader of 256 hosts', { size: 256 }, undefined],
    ['a leader of 257 hosts', { size: 257 }, 4],
    ['a follower among 257 hosts', { size: 257, index: 1 }, undefined],
  ])('gives more I/O threads only to a leader of many: %s', (_, set, threads) => {
    expect(brokerToml(set).tbon).toEqual({
      topo: set.size > 256 ? 'kary:128' : 'custom',
      connect_timeout: '5s',
      ...(threads !== undefined && { zmq_io_threads: threads }),
    });
  });
});

describe('FLUX_POD_BROKER_CONFIG', () => {
  it('is merged in, table by table', () => {
    const brokerConfig = userFile(`
      [tbon]
      connect_timeout = "2s"
      tcp_user_timeout = "20s"
      [resource]
      exclude = "0"
      [queues.batch.policy.limits]
      duration = "1h"
    `);
    const toml = brokerToml({ size: 2, resources: 'cores=2', brokerConfig });
    expect(toml).toMatchObject({
      bootstrap: { hosts: [{ host: 'mc-[0-1]' }] },
      tbon: { topo: 'custom', connect_timeout: '2s', tcp_user_timeout: '20s' },
      resource: { config: [{ hosts: 'mc-[0-1]', cores: '0-1' }], exclude: '0' },
      queues: { batch: { policy: { limits: { duration: '1h' } } } },
    });
  });

  it('changes nothing when it is empty', () => {
    expect(brokerToml({ size: 2, brokerConfig: userFile('# nothing\n') })).toEqual(brokerToml({ size: 2 }));
  });

  it('may describe the resources where Flux would discover them', () => {
    const brokerConfig = userFile('[[resource.config]]\nhosts = "mc-[0-1]"\ncores = "0-3"\n');
    expect(brokerToml({ size: 2, brokerConfig }).resource).toEqual({
      config: [{ hosts: 'mc-[0-1]', cores: '0-3' }],
    });
  });

  it.each([
    [
      'says what flux-pod must own: each key with its setting',
      () => userFile('[bootstrap]\ndefault_port = 1\n[tbon]\ntopo = "kary:2"\n'),
      'flux-pod itself writes bootstrap.default_port (use FLUX_POD_PORT); tbon.topo (use FLUX_POD_TOPO)',
      'Take these keys out of the file.',
    ],
    ['is missing', () => join(directory, 'gone'), 'ENOENT', 'It must be a TOML file as in flux-config(5).'],
    ['is a directory', () => directory, 'EISDIR', 'It must be a TOML file as in flux-config(5).'],
    ['is no TOML', () => userFile('[tbon\n'), 'Invalid TOML', 'It must be a TOML file as in flux-config(5).'],
  ])('is refused when it %s', (_, make, why, hint) => {
    const path = make();
    expect(() => brokerToml({ size: 2, resources: 'cores=2', brokerConfig: path })).toThrow(
      expect.objectContaining({
        exitCode: 78,
        message: expect.stringContaining(`Cannot use FLUX_POD_BROKER_CONFIG="${path}": ${why}`),
        hint,
      }),
    );
  });

  it('a leader with a state directory checkpoints it, so that little is lost when it is killed', () => {
    const text = (index: number) => {
      const configuration = configurationOf({ size: 2, index, stateDir: '/state' });
      return brokerConfig(configuration, membershipOf(configuration), '/run/flux-pod/curve.cert');
    };
    expect(text(0)).toMatch(/\[kvs\]\s+checkpoint-period = "5s"/);
    expect(text(1)).not.toContain('[kvs]');
  });
});
