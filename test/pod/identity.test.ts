import { describe, expect, it } from 'vitest';
import { parsePodHostname, readIdentity } from '../../agent/pod/identity.ts';
import { held, loopback, podFacts } from '../support/bed/pod-facts.ts';

const fqdn = 'mc-1.flux-service.default.svc.cluster.local';

describe('a pod of an Indexed Job', () => {
  it('has all of its names', () => {
    expect(readIdentity(podFacts())).toEqual({
      index: 1,
      cluster: 'mc',
      service: 'flux-service',
      namespace: 'default',
      domain: 'cluster.local',
      address: '10.244.0.5',
      interface: 'eth0',
    });
  });

  it('has the same under setHostnameAsFQDN', () => {
    const pod = podFacts({ hostnameAsFqdn: true });
    expect(pod.hostname).toBe(fqdn);
    expect(readIdentity(pod)).toEqual(readIdentity(podFacts()));
  });

  it('of which nothing can be detected has no identity', () => {
    const facts = {
      hostname: 'worker',
      completionIndex: undefined,
      fluxUri: undefined,
      etcHosts: '',
      resolvConf: '',
      namespaceFile: '',
      interfaces: [loopback],
      operator: undefined,
    };
    expect(readIdentity(facts)).toEqual({});
  });
});

describe('the hostname', () => {
  it.each([
    ['mc-0', 'mc', 0],
    ['mc-10', 'mc', 10],
    ['a-b-2-c-13', 'a-b-2-c', 13],
    ['mc-5-0', 'mc-5', 0],
    ['5-0', '5', 0],
    ['mc--3', 'mc-', 3],
    ['mc-1048575', 'mc', 1_048_575],
    [fqdn, 'mc', 1],
    ['mc-5-2.svc-3.ns-4.svc.cluster.local', 'mc-5', 2],
  ])('%s is of cluster %s, index %i', (hostname, cluster, index) => {
    expect(parsePodHostname(hostname)).toEqual({ cluster, index });
  });

  it.each(['', 'mc', 'mc-', '-1', '7', 'mc1', 'mc-x', 'mc-01', 'mc-00', 'mc-1a', 'mc-12345678', 'mc.a-1'])(
    '%j is not of an Indexed Job',
    (hostname) => {
      expect(parsePodHostname(hostname)).toBeUndefined();
    },
  );
});

describe('the index', () => {
  it.each([
    ['the hostname', 'mc-1', 1],
    ['nowhere', 'worker', undefined],
  ])('is read off %s', (_, hostname, index) => {
    expect(readIdentity(podFacts({}, { completionIndex: undefined, hostname })).index).toBe(index);
  });
});

describe('Service, namespace and domain', () => {
  const inHosts = { service: 'flux-service', namespace: 'team', domain: 'k8s.example.org' };
  const inSearch = { namespace: 'team', domain: 'k8s.example.org' };
  const pod = { namespace: 'team', domain: 'k8s.example.org' };
  const silent = { etcHosts: '', resolvConf: '', namespaceFile: '' };

  it.each([
    ['the FQDN in /etc/hosts alone', podFacts(pod, { resolvConf: '', namespaceFile: '' }), inHosts],
    [
      'the FQDN in /etc/hosts before all else',
      podFacts(pod, { resolvConf: podFacts().resolvConf, namespaceFile: 'x' }),
      inHosts,
    ],
    [
      'the hostname under setHostnameAsFQDN alone',
      podFacts({ ...pod, hostnameAsFqdn: true }, silent),
      inHosts,
    ],
    [
      'the search list, without a subdomain',
      podFacts({ ...pod, service: undefined }, { namespaceFile: '' }),
      inSearch,
    ],
    ['the search list alone', podFacts(pod, { etcHosts: '', namespaceFile: '' }), inSearch],
    [
      'the search list before the namespace file',
      podFacts(pod, { etcHosts: '', namespaceFile: 'x' }),
      inSearch,
    ],
    [
      'the namespace file alone',
      podFacts(pod, { ...silent, namespaceFile: 'team\n' }),
      { namespace: 'team' },
    ],
    ['nowhere', podFacts(pod, silent), {}],
    [
      'nowhere where the node’s own names are told',
      podFacts(pod, {
        ...silent,
        etcHosts: '10.0.0.7 mc-1.ec2.internal mc-1',
        resolvConf: 'search ec2.internal\n',
      }),
      {},
    ],
    ['a domain of one label', podFacts({ ...pod, domain: 'k8s' }), { ...inHosts, domain: 'k8s' }],
    [
      'a domain that itself has a part svc',
      podFacts({ ...pod, domain: 'svc.example', service: undefined }),
      { namespace: 'team', domain: 'svc.example' },
    ],
    [
      'a name with its closing dot',
      podFacts(pod, { ...silent, etcHosts: '10.244.0.5 mc-1.flux-service.team.svc.k8s.example.org. mc-1' }),
      inHosts,
    ],
  ])('are read off %s', (_, facts, expected) => {
    const { service, namespace, domain } = readIdentity(facts);
    expect({ service, namespace, domain }).toEqual({
      service: undefined,
      namespace: undefined,
      domain: undefined,
      ...expected,
    });
  });

  it.each([
    ['of other pods', `10.244.0.9 mc-2.other.x.svc.y mc-2\n${podFacts().etcHosts}`],
    ['in comments', `# 10.244.0.5 mc-1.other.x.svc.y mc-1\n${podFacts().etcHosts}`],
    ['that only begin alike', `10.244.0.9 mc-10.other.x.svc.y mc-10\n${podFacts().etcHosts}`],
    [
      'of hostAliases, which follow the pod’s own',
      `${podFacts().etcHosts}10.1.1.1\tmc-1.alias.x.svc.y\tmc-1\n`,
    ],
    ['after a comment sign', podFacts().etcHosts.replace(/mc-1\n/, 'mc-1 # mc-1.other.x.svc.y\n')],
  ])('are not read off lines of /etc/hosts %s', (_, etcHosts) => {
    expect(readIdentity(podFacts({}, { etcHosts, resolvConf: '' }))).toMatchObject({
      service: 'flux-service',
      namespace: 'default',
      domain: 'cluster.local',
    });
  });
});

describe('the address', () => {
  const etcHosts = (...addresses: string[]) =>
    ['127.0.0.1\tlocalhost', ...addresses.map((address) => `${address}\t${fqdn}\tmc-1`), ''].join('\n');
  const eth0 = held('eth0', '10.244.0.5');
  const net1 = held('net1', '192.168.7.5');
  const eth0v6 = held('eth0', 'fd00::5');

  it.each([
    ['the one that /etc/hosts tells', etcHosts('192.168.7.5'), [loopback, eth0, net1], undefined, net1],
    ['the first that an interface holds', etcHosts('10.9.9.9'), [loopback, eth0, net1], undefined, eth0],
    ['the first where /etc/hosts tells none', '', [loopback, net1, eth0], undefined, net1],
    [
      'the primary of a dual-stack pod, IPv4',
      etcHosts('10.244.0.5', 'fd00::5'),
      [loopback, eth0, eth0v6],
      undefined,
      eth0,
    ],
    [
      'the primary of a dual-stack pod, IPv6',
      etcHosts('fd00::5', '10.244.0.5'),
      [loopback, eth0, eth0v6],
      undefined,
      eth0v6,
    ],
    ['IPv4 where /etc/hosts does not choose', '', [loopback, eth0v6, eth0], undefined, eth0],
    ['IPv6 where there is no other', etcHosts('fd00::5'), [loopback, eth0v6], undefined, eth0v6],
    ['IPv6 where there is no other and /etc/hosts is silent', '', [loopback, eth0v6], undefined, eth0v6],
    ['never loopback unasked', etcHosts('127.0.0.1'), [loopback, eth0], undefined, eth0],
    ['on the interface that was chosen', etcHosts('10.244.0.5'), [loopback, eth0, net1], 'net1', net1],
    ['on loopback where that was chosen', etcHosts('10.244.0.5'), [loopback, eth0], 'lo', loopback],
    [
      'what /etc/hosts tells of the chosen interface',
      etcHosts('10.244.0.5', 'fd00::5'),
      [eth0, net1, eth0v6, held('net1', 'fd00::7')],
      'eth0',
      eth0,
    ],
    ['none where the chosen interface has none', etcHosts('10.244.0.5'), [loopback, eth0], 'net1', undefined],
    ['none where there is only loopback', '', [loopback], undefined, undefined],
  ])('is %s', (_, hosts, interfaces, chosen, expected) => {
    const identity = readIdentity(podFacts({}, { etcHosts: hosts, interfaces }), chosen);
    expect({ address: identity.address, interface: identity.interface }).toEqual({
      address: expected?.address,
      interface: expected?.interface,
    });
  });
});
