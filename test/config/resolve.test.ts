import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readConfigFile, readEnvironment, readFlags } from '../../agent/config/layers.ts';
import { type Resolution, resolveConfiguration } from '../../agent/config/resolve.ts';
import {
  environmentName,
  flagName,
  type SettingName,
  settingNames,
  tomlName,
} from '../../agent/config/settings.ts';
import { PodError } from '../../agent/errors.ts';
import type { PodFacts } from '../../agent/pod/facts.ts';
import { held, loopback, podFacts, untold } from '../support/bed/pod-facts.ts';

const directory = mkdtempSync(join(tmpdir(), 'flux-pod-resolve-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const configFile = join(directory, 'config.toml');

interface Given {
  flags?: Record<string, string>;
  environment?: NodeJS.ProcessEnv;
  toml?: string;
  facts?: PodFacts;
  terminal?: boolean;
}

/** Reads all sources as `flux-pod` does and settles them. */
async function resolve({
  flags = {},
  environment = {},
  toml = '',
  facts = podFacts(),
  terminal = false,
}: Given) {
  writeFileSync(configFile, toml);
  const readings = [readFlags(flags), readEnvironment(environment), await readConfigFile(configFile, false)];
  return resolveConfiguration(
    facts,
    readings.map(({ layer }) => layer),
    { problems: readings.flatMap(({ problems }) => problems), terminal },
  );
}

const resolveSize4 = (given: Given): Promise<Resolution> =>
  resolve({ ...given, environment: { FLUX_POD_SIZE: '4', ...given.environment } });

/** The lines that a refusal lists. */
async function problemsOf(given: Given): Promise<string[]> {
  const refusal = await resolve(given).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(refusal instanceof PodError)) throw new Error(`Expected a PodError, not ${refusal}`);
  expect(refusal.exitCode).toBe(78);
  const [head, ...lines] = refusal.message.split('\n  ');
  const count = lines.length === 1 ? '1 problem' : `${lines.length} problems`;
  expect(head).toBe(`Cannot use this configuration, ${count}:`);
  return lines;
}

const problemsOfSize4 = (environment: NodeJS.ProcessEnv, facts?: PodFacts): Promise<string[]> =>
  problemsOf({ environment: { FLUX_POD_SIZE: '4', ...environment }, ...(facts && { facts }) });

describe('where a value comes from', () => {
  const flags = { domain: 'of.flag' };
  const environment = { FLUX_POD_DOMAIN: 'of.environment' };
  const toml = 'domain = "of.toml"';
  const facts = podFacts({ domain: 'of.pod' });
  const silent = podFacts({}, { etcHosts: '', resolvConf: '' });
  const names = { FLUX_POD_SERVICE: 'flux-service', FLUX_POD_NAMESPACE: 'default' };

  it.each<[string, Given, string, string | undefined]>([
    ['a flag', { flags, environment, toml, facts }, 'of.flag', '--domain'],
    ['else the environment', { environment, toml, facts }, 'of.environment', 'FLUX_POD_DOMAIN'],
    ['else the TOML file', { toml, facts }, 'of.toml', `domain in ${configFile}`],
    ['else the pod', { facts }, 'of.pod', 'the pod'],
    ['else the default', { facts: silent, environment: names }, 'cluster.local', undefined],
    [
      'the next one where a variable is empty',
      { environment: { FLUX_POD_DOMAIN: '' }, toml, facts },
      'of.toml',
      `domain in ${configFile}`,
    ],
  ])('%s', async (_, given, value, source) => {
    const { configuration, sources } = await resolveSize4(given);
    expect(configuration.domain).toBe(value);
    expect(sources.domain?.source).toBe(source);
  });

  it('is settled for each setting by itself', async () => {
    const { configuration } = await resolve({
      flags: { size: '2' },
      environment: { FLUX_POD_SIZE: '3', FLUX_POD_PORT: '9000' },
      toml: 'size = 4\nport = 9001\nmax_size = 8',
    });
    expect(configuration).toMatchObject({ size: 2, port: 9000, maxSize: 8 });
  });

  it('is never a lesser source where a better one is wrong', async () => {
    expect(await problemsOf({ flags: { size: 'x' }, environment: { FLUX_POD_SIZE: '4' } })).toEqual([
      '--size="x": expected a whole number from 1 to 1048576',
    ]);
  });

  it('is the pod before the default for what the Job controller sets', async () => {
    const { configuration, sources } = await resolveSize4({});
    expect(configuration).toMatchObject({
      cluster: 'mc',
      index: 1,
      service: 'flux-service',
      namespace: 'default',
      domain: 'cluster.local',
      address: '10.244.0.5',
      interface: 'eth0',
      hostname: 'mc-1',
    });
    expect(sources.index).toEqual({ value: '1', source: 'JOB_COMPLETION_INDEX' });
    expect(sources.cluster).toEqual({ value: 'mc', source: 'the pod' });
  });
});

describe('every setting has one meaning', () => {
  /** As text, as TOML, and as the program sees it. */
  const samples: Record<SettingName, [text: string, toml: string, value: unknown]> = {
    size: ['4', '4', 4],
    minSize: ['2', '2', 2],
    maxSize: ['8', '8', 8],
    cluster: ['other', '"other"', 'other'],
    service: ['headless', '"headless"', 'headless'],
    namespace: ['team', '"team"', 'team'],
    domain: ['k8s.example.', '"k8s.example."', 'k8s.example'],
    index: ['1', '1', 1],
    address: ['10.244.0.5', '"10.244.0.5"', '10.244.0.5'],
    interface: ['eth0', '"eth0"', 'eth0'],
    port: ['9000', '9000', 9000],
    mode: ['submit', '"submit"', 'submit'],
    tasks: ['16', '16', 16],
    curveCert: ['/c/curve.cert', '"/c/curve.cert"', '/c/curve.cert'],
    topo: ['kary:2', '"kary:2"', 'kary:2'],
    resources: ['cores=2', '"cores=2"', { from: 'counts', cores: 2, gpus: 0 }],
    hosts: ['mc-[0-3]', '"mc-[0-3]"', 'mc-[0-3]'],
    leader: ['lead.example:8050', '"lead.example:8050"', { host: 'lead.example', port: 8050 }],
    nameservers: ['10.0.0.1', '["10.0.0.1"]', [{ host: '10.0.0.1', port: 53 }]],
    peerTimeout: ['90s', '90', 90],
    flux: ['/opt/flux/bin/flux', '"/opt/flux/bin/flux"', '/opt/flux/bin/flux'],
    brokerOptions: ['-v -Sa=1', '["-v", "-Sa=1"]', ['-v', '-Sa=1']],
    brokerConfig: ['/c/broker.toml', '"/c/broker.toml"', '/c/broker.toml'],
    dir: ['/tmp/x', '"/tmp/x"', '/tmp/x'],
    stateDir: ['/state', '"/state"', '/state'],
    hooks: ['/hooks', '"/hooks"', '/hooks'],
    http: ['off', '"off"', 'off'],
    api: ['on', '"on"', 'on'],
    apiListen: ['127.0.0.1:9000', '"127.0.0.1:9000"', { host: '127.0.0.1', port: 9000 }],
    apiTokens: ['/api', '"/api"', '/api'],
    apiTlsCert: ['/tls/tls.crt', '"/tls/tls.crt"', '/tls/tls.crt'],
    apiTlsKey: ['/tls/tls.key', '"/tls/tls.key"', '/tls/tls.key'],
    apiRate: ['50', '50', 50],
    ready: ['up', '"up"', 'up'],
    grace: ['1m', '60', 60],
    socket: ['local:///run/flux/local', '"/run/flux/local"', '/run/flux/local'],
    linger: ['30s', '30', 30],
    idleTimeout: ['30m', '1800', 1800],
    onFailure: ['hold:10m', '"hold:10m"', { hold: true, seconds: 600 }],
    logLevel: ['debug', '"debug"', 'debug'],
    logFormat: ['text', '"text"', 'text'],
  };
  /** What some settings are refused without. */
  const company: NodeJS.ProcessEnv = {
    FLUX_POD_SIZE: '4',
    FLUX_POD_MODE: 'submit',
    FLUX_POD_HOSTS: 'mc-[0-3]',
    FLUX_POD_API_TOKENS: '/api',
    FLUX_POD_API_TLS_CERT: '/tls/tls.crt',
    FLUX_POD_API_TLS_KEY: '/tls/tls.key',
  };

  it.each(settingNames)('as a flag, as a variable and in TOML: %s', async (name) => {
    const [text, toml, value] = samples[name];
    const { [environmentName(name)]: _, ...environment } = company;
    const ways: Given[] = [
      { flags: { [flagName(name)]: text }, environment },
      { environment: { ...environment, [environmentName(name)]: text } },
      { environment, toml: `${tomlName(name)} = ${toml}` },
    ];
    for (const way of ways) expect((await resolve(way)).configuration[name]).toEqual(value);
  });

  it('and the defaults of the reference', async () => {
    const { configuration } = await resolve({ environment: { FLUX_POD_SIZE: '4' } });
    expect(configuration).toEqual({
      size: 4,
      minSize: 4,
      maxSize: 4,
      cluster: 'mc',
      service: 'flux-service',
      namespace: 'default',
      domain: 'cluster.local',
      index: 1,
      address: '10.244.0.5',
      interface: 'eth0',
      port: 8050,
      mode: 'start',
      tasks: undefined,
      curveCert: '/etc/flux-pod/curve/curve.cert',
      topo: 'custom',
      resources: { from: 'auto' },
      hosts: undefined,
      leader: undefined,
      nameservers: undefined,
      peerTimeout: undefined,
      flux: undefined,
      brokerOptions: [],
      brokerConfig: undefined,
      dir: undefined,
      stateDir: undefined,
      hooks: '/etc/flux-pod/hooks.d',
      http: { host: '0.0.0.0', port: 8051 },
      api: 'off',
      apiListen: { host: '0.0.0.0', port: 8052 },
      apiTokens: undefined,
      apiTlsCert: undefined,
      apiTlsKey: undefined,
      apiRate: 2000,
      ready: 'run',
      grace: 25,
      socket: undefined,
      linger: undefined,
      onFailure: { hold: false },
      logLevel: 'info',
      logFormat: 'json',
      hostname: 'mc-1',
    });
    expect(Object.isFrozen(configuration)).toBe(true);
  });

  it.each([
    ['text on a terminal', true, 'text'],
    ['json elsewhere', false, 'json'],
  ])('the log is %s', async (_, terminal, format) => {
    expect((await resolveSize4({ terminal })).configuration.logFormat).toBe(format);
  });

  it.each([
    ['256', 'custom'],
    ['257', 'kary:128'],
  ])('the tree of %s hosts is %s', async (size, topo) => {
    const environment = { FLUX_POD_SIZE: '4', FLUX_POD_MAX_SIZE: size };
    expect((await resolve({ environment })).configuration.topo).toBe(topo);
  });
});

describe('sizes', () => {
  const aSize = 'expected a whole number from 1 to 1048576';

  it.each(['1', '4', '1048576'])('may be %s', async (size) => {
    const facts = podFacts({ name: 'mc-0', index: 0 });
    const { configuration } = await resolve({ environment: { FLUX_POD_SIZE: size }, facts });
    expect(configuration).toMatchObject({ size: Number(size), minSize: Number(size), maxSize: Number(size) });
  });

  it.each(['0', 'four', '1e9', '1048577', '-4', '4.0', ' 4'])('may not be %j', async (size) => {
    for (const name of ['FLUX_POD_SIZE', 'FLUX_POD_MIN_SIZE', 'FLUX_POD_MAX_SIZE']) {
      const environment = { FLUX_POD_SIZE: '4', [name]: size };
      expect(await problemsOf({ environment })).toEqual([`${name}="${size}": ${aSize}`]);
    }
  });

  it.each(['0', '1e9', '4.5', '"four"', '[4]', 'true'])('in TOML may not be %s', async (size) => {
    const shown = size === '1e9' ? '1000000000' : size;
    expect(await problemsOf({ toml: `size = ${size}` })).toEqual([
      `size in ${configFile}=${shown}: ${aSize}`,
    ]);
  });

  it.each([
    [
      { FLUX_POD_MIN_SIZE: '2', FLUX_POD_MAX_SIZE: '8' },
      { minSize: 2, size: 4, maxSize: 8 },
    ],
    [
      { FLUX_POD_MIN_SIZE: '4', FLUX_POD_MAX_SIZE: '4' },
      { minSize: 4, size: 4, maxSize: 4 },
    ],
  ])('stand in order: %j', async (environment, sizes) => {
    expect((await resolveSize4({ environment })).configuration).toMatchObject(sizes);
  });

  it('are refused out of order', async () => {
    expect(await problemsOfSize4({ FLUX_POD_MIN_SIZE: '5', FLUX_POD_MAX_SIZE: '3' })).toEqual([
      'FLUX_POD_MIN_SIZE=5: expected at most the size, 4',
      'FLUX_POD_MAX_SIZE=3: expected at least the size, 4',
    ]);
  });

  it('must be given', async () => {
    expect(await problemsOf({})).toEqual(['FLUX_POD_SIZE: expected the number of pods, from 1']);
  });
});

describe('a refusal', () => {
  it('lists every problem of every source at once, each with name, value and expectation', async () => {
    const problems = await problemsOf({
      flags: { port: '0', http: '8051' },
      environment: {
        FLUX_POD_SIZE: 'four',
        FLUX_POD_MODE: 'stat',
        FLUX_POD_SIZES: '4',
        FLUX_POD_TOPO: 'flat',
      },
      toml: 'sise = 4\npeer_timeout = "soon"',
      facts: podFacts({}, { completionIndex: 'x' }),
    });
    expect(problems.toSorted()).toEqual(
      [
        '--port="0": expected a port from 1 to 65535',
        '--http="8051": expected HOST:PORT or off',
        'FLUX_POD_SIZE="four": expected a whole number from 1 to 1048576',
        'FLUX_POD_MODE="stat": expected one of start, submit, batch, interactive',
        'FLUX_POD_SIZES: no such setting; did you mean FLUX_POD_SIZE?',
        'FLUX_POD_TOPO="flat": expected kary:K, mincrit, mincrit:K, binomial or custom (flat) ' +
          '(Cannot parse topology "flat": expected kary:K, mincrit, mincrit:K, binomial or custom, ' +
          'with K an integer of 0 to 2147483647)',
        `sise in ${configFile}: no such setting; did you mean size?`,
        `peer_timeout in ${configFile}="soon": expected an RFC 23 duration such as 90s, 10m or 1.5h`,
        'JOB_COMPLETION_INDEX="x": expected a whole number from 0',
      ].toSorted(),
    );
  });

  it('of a file that is no TOML names it and the reason', async () => {
    const given = { environment: { FLUX_POD_SIZE: '4' }, toml: 'size = = 4' };
    await expect(resolve(given)).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringMatching(`, 1 problem:\n  ${configFile}: TOML: .`),
    });
  });

  it('repeats no more than 80 characters of a value', async () => {
    const [problem] = await problemsOf({ environment: { FLUX_POD_SIZE: '9'.repeat(500) } });
    expect(problem).toBe(`FLUX_POD_SIZE="${'9'.repeat(79)}: expected a whole number from 1 to 1048576`);
  });

  it('says where to look', async () => {
    await expect(resolve({})).rejects.toMatchObject({
      hint: expect.stringContaining('`flux-pod run --help`'),
    });
  });

  it('of FLUX_POD_PORT=tcp://x names what is expected, where no Service explains it', async () => {
    const link = { FLUX_POD_PORT: 'tcp://10.96.7.7:80' };
    expect(await problemsOfSize4(link)).toEqual([
      'FLUX_POD_PORT="tcp://10.96.7.7:80": expected a port from 1 to 65535',
    ]);
    const { configuration } = await resolveSize4({
      environment: { ...link, FLUX_POD_SERVICE_HOST: '10.96.7.7' },
    });
    expect(configuration.port).toBe(8050);
  });
});

describe('the index', () => {
  it.each([
    ['4', {}, 'JOB_COMPLETION_INDEX=4: expected an index below the 4 hosts of the instance'],
    [
      '8',
      { FLUX_POD_MAX_SIZE: '8' },
      'JOB_COMPLETION_INDEX=8: expected an index below the 8 hosts of the instance',
    ],
  ])('%s is refused where there are no more hosts: %j', async (index, environment, problem) => {
    const facts = podFacts({ name: `mc-${index}`, index: Number(index) });
    const problems = await problemsOfSize4(environment, facts);
    expect(problems).toEqual([`${problem} (FLUX_POD_MAX_SIZE, else FLUX_POD_SIZE)`]);
  });

  it('off the hostname is refused by the name of its setting', async () => {
    const facts = podFacts({ name: 'mc-9', index: 9 }, { completionIndex: undefined });
    expect((await problemsOfSize4({}, facts))[0]).toMatch(/^FLUX_POD_INDEX=9: expected an index below the 4/);
  });

  it('may be the last that MAX_SIZE has room for', async () => {
    const facts = podFacts({ name: 'mc-7', index: 7 });
    const environment = { FLUX_POD_MAX_SIZE: '8' };
    expect((await resolveSize4({ facts, environment })).configuration.index).toBe(7);
  });

  it('is not bound by the size where the hosts are listed', async () => {
    const facts = podFacts({ name: 'burst-9', index: 9 });
    const environment = { FLUX_POD_HOSTS: 'mc-[0-3],burst-9' };
    expect((await resolveSize4({ facts, environment })).configuration.index).toBe(9);
  });

  it.each([
    ['JOB_COMPLETION_INDEX', podFacts({}, { completionIndex: '2' }), {}],
    ['FLUX_POD_INDEX', podFacts(), { FLUX_POD_INDEX: '2' }],
  ])('of %s is refused where the hostname disagrees', async (name, facts, environment) => {
    expect(await problemsOfSize4(environment, facts)).toEqual([
      `${name}=2: expected 1, which the hostname mc-1 ends in`,
    ]);
  });

  it('is not compared with the name of another cluster: under hostNetwork the hostname is the node’s', async () => {
    const facts = podFacts({}, { hostname: 'ip-10-0-0-7', completionIndex: '2', etcHosts: '' });
    const environment = { FLUX_POD_CLUSTER: 'mc', FLUX_POD_SERVICE: 'flux-service' };
    const { configuration } = await resolveSize4({ facts, environment });
    expect(configuration).toMatchObject({ cluster: 'mc', index: 2, hostname: 'ip-10-0-0-7' });
  });

  it('is FLUX_POD_INDEX before JOB_COMPLETION_INDEX', async () => {
    const facts = podFacts({}, { completionIndex: 'x' });
    const { configuration } = await resolveSize4({ facts, environment: { FLUX_POD_INDEX: '1' } });
    expect(configuration.index).toBe(1);
  });
});

describe('what cannot be detected from a pod', () => {
  const mute = podFacts({ index: 0 }, untold);

  it('must be given, all of it', async () => {
    expect(await problemsOfSize4({}, mute)).toEqual([
      "FLUX_POD_INDEX: expected this pod's completion index: neither JOB_COMPLETION_INDEX nor the hostname has it",
      "FLUX_POD_CLUSTER: expected the Job's name: the hostname does not have it",
      "FLUX_POD_ADDRESS: expected this pod's address: no interface has one",
      'FLUX_POD_SERVICE: expected the headless Service: set subdomain in the pod template, so that /etc/hosts names it',
      'FLUX_POD_NAMESPACE: expected the namespace: neither /etc/hosts nor /etc/resolv.conf has it',
    ]);
  });

  it('of names in DNS is not missed by an instance of one', async () => {
    const facts = podFacts(
      { name: 'mc-0', index: 0, service: undefined },
      { resolvConf: '', namespaceFile: '' },
    );
    const { configuration } = await resolve({ environment: { FLUX_POD_SIZE: '1' }, facts });
    expect(configuration).toMatchObject({ service: undefined, namespace: undefined });
    const growing = { FLUX_POD_SIZE: '1', FLUX_POD_MAX_SIZE: '2' };
    expect(await problemsOf({ environment: growing, facts })).toHaveLength(2);
    const listed = { FLUX_POD_SIZE: '1', FLUX_POD_HOSTS: 'mc-[0-1]' };
    expect(await problemsOf({ environment: listed, facts })).toHaveLength(2);
  });
});

describe('an API', () => {
  it.each(['0.0.0.0:8052', '10.244.0.5:8052', '[::]:8052', undefined])(
    'that others reach at %s is refused without tokens',
    async (listen) => {
      const api = { FLUX_POD_API: 'on', ...(listen && { FLUX_POD_API_LISTEN: listen }) };
      const [problem, ...more] = await problemsOfSize4(api);
      expect(problem).toContain('FLUX_POD_API_TOKENS: expected the mounted Secret');
      expect(more).toEqual([]);
    },
  );

  it.each(['127.0.0.1:8052', '127.9.9.9:1', '[::1]:8052'])('at %s needs none', async (listen) => {
    const environment = { FLUX_POD_SIZE: '4', FLUX_POD_API: 'on', FLUX_POD_API_LISTEN: listen };
    expect((await resolve({ environment })).configuration.apiTokens).toBeUndefined();
  });
});

describe('the address and its interface', () => {
  const facts = podFacts(
    {},
    {
      interfaces: [
        loopback,
        held('eth0', '10.244.0.5'),
        held('net1', '192.168.7.5'),
        held('net1', 'fd00::5'),
      ],
    },
  );

  it.each([
    [{}, { address: '10.244.0.5', interface: 'eth0' }],
    [{ FLUX_POD_INTERFACE: 'net1' }, { address: '192.168.7.5', interface: 'net1' }],
    [{ FLUX_POD_INTERFACE: 'lo' }, { address: '127.0.0.1', interface: 'lo' }],
    [
      { FLUX_POD_INTERFACE: 'net1', FLUX_POD_ADDRESS: 'fd00::5' },
      { address: 'fd00::5', interface: 'net1' },
    ],
    [{ FLUX_POD_ADDRESS: '127.0.0.9' }, { address: '127.0.0.9' }],
  ])('are chosen by %j', async (environment, chosen) => {
    expect((await resolveSize4({ facts, environment })).configuration).toMatchObject(chosen);
  });

  it('are refused where the pod does not hold them', async () => {
    expect(await problemsOfSize4({ FLUX_POD_ADDRESS: '10.9.9.9' }, facts)).toEqual([
      'FLUX_POD_ADDRESS="10.9.9.9": expected an address that an interface of this pod holds ' +
        '(127.0.0.1, 10.244.0.5, 192.168.7.5, fd00::5)',
    ]);
    expect(await problemsOfSize4({ FLUX_POD_INTERFACE: 'eth9' }, facts)).toEqual([
      'FLUX_POD_INTERFACE="eth9": expected an interface that has an address (lo, eth0, net1)',
    ]);
    expect(await problemsOfSize4({ FLUX_POD_INTERFACE: 'eth 0' }, facts)).toEqual([
      'FLUX_POD_INTERFACE="eth 0": expected the name of a network interface',
    ]);
  });

  it.each(['10.0.0', '10.0.0.1:8050', 'localhost', '256.0.0.1'])('are no address: %s', async (address) => {
    expect(await problemsOfSize4({ FLUX_POD_ADDRESS: address }, facts)).toEqual([
      `FLUX_POD_ADDRESS="${address}": expected an IPv4 or IPv6 address`,
    ]);
  });
});

describe('settings that need each other', () => {
  it.each([
    [{ FLUX_POD_TASKS: '4' }, 'FLUX_POD_TASKS=4: expected FLUX_POD_MODE=submit with it'],
    [
      { FLUX_POD_TASKS: '4', FLUX_POD_MODE: 'batch' },
      'FLUX_POD_TASKS=4: expected FLUX_POD_MODE=submit with it',
    ],
    [
      { FLUX_POD_LEADER: 'lead:8050' },
      'FLUX_POD_LEADER={"host":"lead","port":8050}: expected FLUX_POD_HOSTS with it: the ranks of both clusters',
    ],
  ])('are refused alone: %j', async (environment, problem) => {
    expect(await problemsOfSize4(environment)).toEqual([problem]);
  });

  it.each([
    { FLUX_POD_TASKS: '4', FLUX_POD_MODE: 'submit' },
    { FLUX_POD_LEADER: 'lead:8050', FLUX_POD_HOSTS: 'lead-0,mc-[0-3]' },
  ])('are taken together: %j', async (environment) => {
    await expect(resolveSize4({ environment })).resolves.toBeDefined();
  });
});
