import { describe, expect, it } from 'vitest';
import { instanceName, membershipOf } from '../../agent/broker/membership.ts';
import { PodError } from '../../agent/errors.ts';
import { configurationOf } from '../support/agent/configuration.ts';

const suffix = '.flux-service.default.svc.cluster.local';
const asFqdn = (index: number) => ({ hostname: `mc-${index}${suffix}` });

describe('the hosts of an Indexed Job', () => {
  it('are written compactly, with the Service’s names behind them', () => {
    const { tree, ...membership } = membershipOf(configurationOf({ size: 4, index: 1 }));
    expect(membership).toEqual({
      rank: 1,
      size: 4,
      hostlist: 'mc-[0-3]',
      host: 'mc-1',
      hostIsHostname: true,
      dnsSuffix: suffix,
      parent: { rank: 0, host: 'mc-0', target: { host: `mc-0${suffix}`, port: 8050 } },
    });
    expect(tree.size).toBe(4);
  });

  it('are FQDNs under setHostnameAsFQDN, and need nothing behind them', () => {
    expect(membershipOf(configurationOf({ size: 4, index: 1 }, asFqdn(1)))).toMatchObject({
      hostlist: `mc-[0-3]${suffix}`,
      host: `mc-1${suffix}`,
      hostIsHostname: true,
      dnsSuffix: '',
      parent: { host: `mc-0${suffix}`, target: { host: `mc-0${suffix}`, port: 8050 } },
    });
  });

  it.each([
    [{}, {}, 'mc-0'],
    [{}, asFqdn(0), `mc-0${suffix}`],
  ])('are one name where the size is 1: %j %j', (set, facts, host) => {
    expect(membershipOf(configurationOf(set, facts))).toMatchObject({
      rank: 0,
      size: 1,
      hostlist: host,
      host,
      parent: undefined,
    });
  });

  it('of size 1 need no Service', () => {
    const facts = { etcHosts: '', resolvConf: '', namespaceFile: '' };
    expect(membershipOf(configurationOf({}, facts))).toMatchObject({ hostlist: 'mc-0', dnsSuffix: '' });
  });

  it('are as many as the instance can grow to', () => {
    expect(membershipOf(configurationOf({ size: 2, maxSize: 100, index: 5 }))).toMatchObject({
      rank: 5,
      size: 100,
      hostlist: 'mc-[0-99]',
    });
  });

  it('keep their names where the hostname is another, as under hostNetwork', () => {
    const set = { size: 4, index: 2, cluster: 'mc', service: 'headless' };
    expect(membershipOf(configurationOf(set, { hostname: 'ip-10-0-0-7.ec2.internal' }))).toMatchObject({
      rank: 2,
      hostlist: 'mc-[0-3]',
      host: 'mc-2',
      hostIsHostname: false,
      dnsSuffix: '.headless.default.svc.cluster.local',
      parent: { host: 'mc-0' },
    });
  });

  it('have the Service, namespace, domain and port that are configured', () => {
    const set = { size: 2, index: 1, service: 's', namespace: 'n', domain: 'd.example.', port: '9000' };
    const { dnsSuffix, parent } = membershipOf(configurationOf(set));
    expect(dnsSuffix).toBe('.s.n.svc.d.example');
    expect(parent?.target).toEqual({ host: 'mc-0.s.n.svc.d.example', port: 9000 });
  });
});

describe('the parent', () => {
  it.each([
    ['custom', 5, 0],
    ['kary:2', 0, undefined],
    ['kary:2', 2, 0],
    ['kary:2', 3, 1],
    ['kary:2', 6, 2],
    ['kary:1', 6, 5],
    ['binomial', 6, 4],
  ])('in %s of rank %i is %s', (topo, index, rank) => {
    const { parent } = membershipOf(configurationOf({ size: 7, index, topo }));
    expect(parent?.rank).toBe(rank);
    expect(parent?.target.host).toBe(rank === undefined ? undefined : `mc-${rank}${suffix}`);
  });

  it('is an FQDN under setHostnameAsFQDN, whatever its rank', () => {
    const { parent } = membershipOf(configurationOf({ size: 7, index: 6, topo: 'kary:2' }, asFqdn(6)));
    expect(parent).toMatchObject({ rank: 2, host: `mc-2${suffix}`, target: { host: `mc-2${suffix}` } });
  });
});

describe('FLUX_POD_HOSTS', () => {
  it.each([
    ['mc-[0-3]', 2, 2, 4],
    ['lead-[0-3],mc-[0-3]', 0, 4, 8],
    ['mc-[3,1,0,2]', 3, 0, 4],
    ['lead-[0-1] mc-[0-9]', 9, 11, 12],
    ['mc-7', 7, 0, 1],
  ])('%s makes index %i rank %i of %i', (hosts, index, rank, size) => {
    const membership = membershipOf(configurationOf({ size: 1, index, hosts }));
    expect(membership).toMatchObject({ rank, size, host: `mc-${index}` });
    expect(membership.tree.size).toBe(size);
  });

  it('gives parents by their place in it', () => {
    const set = { size: 1, index: 3, hosts: 'lead-[0-1],mc-[0-3]', topo: 'kary:2' };
    const { rank, parent } = membershipOf(configurationOf(set));
    expect(rank).toBe(5);
    expect(parent).toEqual({ rank: 2, host: 'mc-0', target: { host: `mc-0${suffix}`, port: 8050 } });
  });

  it('holds FQDNs where those are the hostnames', () => {
    const hosts = `lead-0.x.example,mc-[0-1]${suffix}`;
    const { rank, dnsSuffix, parent } = membershipOf(configurationOf({ index: 1, hosts }, asFqdn(1)));
    expect({ rank, dnsSuffix }).toEqual({ rank: 2, dnsSuffix: '' });
    expect(parent?.target).toEqual({ host: 'lead-0.x.example', port: 8050 });
  });

  // flux-core takes a line end, and brackets after the first, for text (src/common/libhostlist/hostlist.c).
  it.each([
    ['mc-[0-3]', 'mc-[0-3]'],
    ['lead-0,mc-[0,3]', 'lead-0,mc-[0,3]'],
    ['lead-0\nmc-[0-3]\n', 'lead-0,mc-[0-3]'],
    ['lead-0, \tmc-[0-3]', 'lead-0,mc-[0-3]'],
    ['r[0-1]n[0-1],mc-0', 'r0n[0-1],r1n[0-1],mc-0'],
  ])('%j is handed on as the broker reads it: %s', (hosts, hostlist) => {
    expect(membershipOf(configurationOf({ hosts })).hostlist).toBe(hostlist);
  });

  it.each([
    ['lead-[0-3]', 'it does not name this pod, mc-0'],
    ['mc-[1-3]', 'it does not name this pod, mc-0'],
    ['mc-[0-3],mc-2', 'it names a host twice'],
    ['mc-0,mc-0', 'it names a host twice'],
    ['mc-[0-3', 'Cannot parse hostlist "mc-[0-3": bracket is not closed (at character 4)'],
    [',', 'it does not name this pod, mc-0'],
  ])('%s is refused', (hosts, why) => {
    const configuration = configurationOf({ hosts });
    expect(() => membershipOf(configuration)).toThrow(PodError);
    expect(() => membershipOf(configuration)).toThrow(
      expect.objectContaining({
        exitCode: 78,
        message: `Cannot use FLUX_POD_HOSTS="${hosts}": ${why}`,
        hint: expect.stringContaining('rank order'),
      }),
    );
  });
});

describe('FLUX_POD_LEADER', () => {
  const burst = { size: 1, hosts: 'lead-0,mc-[0-5]', leader: '203.0.113.9:30050', topo: 'kary:2' };

  it.each([
    ['rank 0’s child', 0, 0, { host: '203.0.113.9', port: 30_050 }],
    ['rank 0’s other child', 1, 0, { host: '203.0.113.9', port: 30_050 }],
    ['a child of rank 1, within the cluster', 2, 1, { host: `mc-0${suffix}`, port: 8050 }],
    ['a child of rank 2, within the cluster', 5, 2, { host: `mc-1${suffix}`, port: 8050 }],
  ])('is where to find the parent of %s', (_, index, rank, target) => {
    expect(membershipOf(configurationOf({ ...burst, index })).parent).toMatchObject({ rank, target });
  });

  it('leaves the parent its name in the list', () => {
    expect(membershipOf(configurationOf(burst)).parent?.host).toBe('lead-0');
  });

  it('means nothing to rank 0 itself', () => {
    expect(membershipOf(configurationOf({ ...burst, hosts: 'mc-[0-5]' })).parent).toBeUndefined();
  });
});

describe('the name of the instance', () => {
  type Configured = Parameters<typeof configurationOf>;
  const nameOf = (...[set, facts]: Configured) => {
    const configuration = configurationOf({ service: 'flux-service', ...set }, facts);
    return JSON.stringify(instanceName(configuration, membershipOf(configuration)));
  };
  const size = 4;

  const spanning: [string, (index: number) => Configured][] = [
    ['of an Indexed Job', (index) => [{ size, index }]],
    ['under setHostnameAsFQDN', (index) => [{ size, index }, asFqdn(index)]],
    ['under hostNetwork', (index) => [{ size, index }, { hostname: `node-${index}` }]],
    ['that can grow', (index) => [{ size: 2, maxSize: size, index }]],
    ['of a tree', (index) => [{ size, index, topo: 'kary:2' }]],
    ['without a Service', (index) => [{ size, index, hosts: 'mc-[0-3]', leader: '10.0.0.1:8050' }]],
    [
      'that spans clusters, namespaces and ways to write the list',
      (index) => [
        index < 2
          ? { size, index, hosts: 'mc-[0-1],burst-[2-3]' }
          : { size, index, cluster: 'burst', namespace: 'there', hosts: 'mc-0 mc-1,burst-2,burst-3' },
        { hostname: `${index < 2 ? 'mc' : 'burst'}-${index}` },
      ],
    ],
  ];
  it.each(spanning)('%s is the same in all pods', (_, pod) => {
    const names = [0, 1, 2, 3].map((index) => nameOf(...pod(index)));
    expect(new Set(names).size).toBe(1);
  });

  it('is another in another namespace, of another cluster, for other hosts, and where the hosts are listed', () => {
    const names = [
      {},
      { namespace: 'other' },
      { cluster: 'other' },
      { maxSize: 5 },
      { hosts: 'mc-[0-3]' },
      { hosts: 'mc-[0-4]' },
    ].map((set) => nameOf({ size, ...set }, { hostname: `${'cluster' in set ? set.cluster : 'mc'}-0` }));
    expect(new Set(names).size).toBe(names.length);
  });
});
