import { parse, type TomlTable } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import {
  type BrokerTomlInput,
  brokerTable,
  conflictsWith,
  dropOwned,
  formatToml,
  mergeTables,
} from '../../../agent/broker/config/broker-toml.ts';

const input: BrokerTomlInput = {
  hostlist: 'mc-[0-3]',
  dnsSuffix: '.flux-service.default.svc.cluster.local',
  address: '10.88.0.2',
  port: 8050,
  curveCert: '/run/flux-pod/curve.cert',
  topo: 'custom',
  zmqIoThreads: undefined,
  parent: undefined,
  offered: undefined,
  keepsState: false,
  lowRanks: undefined,
  hostsAreHostnames: true,
};

/** broker.toml as any TOML parser reads it. */
const written = (change: Partial<BrokerTomlInput>) => parse(formatToml(brokerTable({ ...input, ...change })));

describe('broker.toml', () => {
  it('names the hosts, where they are reached, what they bind to, and the certificate', () => {
    expect(written({})).toEqual({
      bootstrap: {
        curve_cert: '/run/flux-pod/curve.cert',
        default_port: 8050,
        default_bind: 'tcp://10.88.0.2:%p',
        default_connect: 'tcp://%h.flux-service.default.svc.cluster.local:%p',
        hosts: [{ host: 'mc-[0-3]' }],
      },
      tbon: { topo: 'custom', connect_timeout: '5s' },
    });
  });

  it('has no certificate where there is but one broker', () => {
    expect(written({ hostlist: 'mc-0', curveCert: undefined }).bootstrap).not.toHaveProperty('curve_cert');
  });

  it('switches IPv6 on for an IPv6 address, which it brackets', () => {
    expect(written({ address: 'fd88::2' }).bootstrap).toMatchObject({
      enable_ipv6: true,
      default_bind: 'tcp://[fd88::2]:%p',
    });
    expect(written({}).bootstrap).not.toHaveProperty('enable_ipv6');
  });

  it.each([
    ['IPv4', '10.88.0.9', 'tcp://10.88.0.9:8150'],
    ['IPv6', 'fd88::9', 'tcp://[fd88::9]:8150'],
  ])(
    'pins the verified %s address of the parent in an entry that follows the whole list',
    (_, address, connect) => {
      const table = written({ parent: { host: 'mc-1', address, port: 8150 } });
      expect(table.bootstrap).toMatchObject({ hosts: [{ host: 'mc-[0-3]' }, { host: 'mc-1', connect }] });
    },
  );

  it.each<[string, Partial<BrokerTomlInput>, unknown]>([
    ['nothing, which leaves the discovery to Flux', {}, undefined],
    ['one core a host', { offered: { cores: 1, gpus: 0 } }, { config: [{ hosts: 'mc-[0-3]', cores: '0' }] }],
    [
      'many cores a host',
      { offered: { cores: 64, gpus: 0 } },
      { config: [{ hosts: 'mc-[0-3]', cores: '0-63' }] },
    ],
    [
      'cores and one GPU a host',
      { offered: { cores: 2, gpus: 1 } },
      { config: [{ hosts: 'mc-[0-3]', cores: '0-1', gpus: '0' }] },
    ],
    [
      'cores and many GPUs a host',
      { offered: { cores: 2, gpus: 8 } },
      { config: [{ hosts: 'mc-[0-3]', cores: '0-1', gpus: '0-7' }] },
    ],
    ['the R of a file', { offered: { path: '/etc/R' } }, { path: '/etc/R' }],
    [
      'cores, unverified where hosts are no hostnames: Flux would drain every node',
      { offered: { cores: 1, gpus: 0 }, hostsAreHostnames: false },
      { config: [{ hosts: 'mc-[0-3]', cores: '0' }], noverify: true },
    ],
    [
      'the R of a file, unverified where hosts are no hostnames',
      { offered: { path: '/etc/R' }, hostsAreHostnames: false },
      { path: '/etc/R', noverify: true },
    ],
    ['nothing, even where hosts are no hostnames', { hostsAreHostnames: false }, undefined],
  ])('offers %s', (_, change, resource) => {
    expect(written(change).resource).toEqual(resource);
  });

  it('has I/O threads only where they are asked for, and the topology as given', () => {
    expect(written({ zmqIoThreads: 4, topo: 'kary:128' }).tbon).toEqual({
      topo: 'kary:128',
      connect_timeout: '5s',
      zmq_io_threads: 4,
    });
  });

  it('survives any character in a path', () => {
    const curveCert = '/mnt/"a\'b\\c"\n#é😀/curve.cert';
    expect(written({ curveCert }).bootstrap).toMatchObject({ curve_cert: curveCert });
  });
});

describe('conflictsWith', () => {
  const ours = brokerTable({ ...input, offered: { cores: 2, gpus: 0 } });
  const conflicts = (user: string, own = ours) => conflictsWith(parse(user), own);

  it.each([
    ['bootstrap.curve_cert = "/x"', 'bootstrap.curve_cert', 'FLUX_POD_CURVE_CERT'],
    ['bootstrap.default_port = 1', 'bootstrap.default_port', 'FLUX_POD_PORT'],
    [
      'bootstrap.default_bind = "tcp://*:1"',
      'bootstrap.default_bind',
      'FLUX_POD_INTERFACE or FLUX_POD_ADDRESS',
    ],
    [
      'bootstrap.default_connect = "tcp://%h:1"',
      'bootstrap.default_connect',
      'FLUX_POD_SERVICE, FLUX_POD_NAMESPACE and FLUX_POD_DOMAIN',
    ],
    ['bootstrap.hosts = []', 'bootstrap.hosts', 'FLUX_POD_HOSTS, FLUX_POD_CLUSTER and FLUX_POD_MAX_SIZE'],
    [
      '[[bootstrap.hosts]]\nhost = "a"',
      'bootstrap.hosts',
      'FLUX_POD_HOSTS, FLUX_POD_CLUSTER and FLUX_POD_MAX_SIZE',
    ],
    ['bootstrap.enable_ipv6 = false', 'bootstrap.enable_ipv6', 'FLUX_POD_ADDRESS'],
    ['[bootstrap]', 'bootstrap', 'FLUX_POD_CLUSTER, FLUX_POD_MAX_SIZE and FLUX_POD_PORT'],
    ['bootstrap = 5', 'bootstrap', 'FLUX_POD_CLUSTER, FLUX_POD_MAX_SIZE and FLUX_POD_PORT'],
    ['tbon.topo = "kary:2"', 'tbon.topo', 'FLUX_POD_TOPO'],
    ['resource.path = "/etc/R"', 'resource.path', 'FLUX_POD_RESOURCES'],
    ['[[resource.config]]\nhosts = "a"', 'resource.config', 'FLUX_POD_RESOURCES'],
  ])('%j is for flux-pod to say, by a setting', (user, key, setting) => {
    expect(conflicts(user)).toEqual([{ key, setting }]);
  });

  it('names every conflict, and none twice', () => {
    const user =
      '[bootstrap]\nhosts = []\ndefault_port = 1\n[tbon]\ntopo = "binomial"\n[resource]\npath = "/R"';
    expect(conflicts(user).map(({ key }) => key)).toEqual([
      'bootstrap.default_port',
      'bootstrap.hosts',
      'tbon.topo',
      'resource.path',
    ]);
  });

  it.each([
    '',
    'tbon.connect_timeout = "1s"',
    'tbon.zmq_io_threads = 2',
    'resource.exclude = "0"',
    'resource.noverify = true',
    '[ingest.validator]\ndisable = true',
    'constructor = 1',
  ])('%j is for the user to say', (user) => {
    expect(conflicts(user)).toEqual([]);
  });

  it.each(['resource.path = "/etc/R"', '[[resource.config]]\nhosts = "mc-0"\ncores = "0-3"'])(
    '%j is for the user to say where Flux discovers the resources',
    (user) => {
      expect(conflicts(user, brokerTable(input))).toEqual([]);
    },
  );
});

describe('dropOwned', () => {
  it("takes what flux-pod owns out of the Flux Operator's broker.toml, and tables that this leaves empty", () => {
    const table = parse(
      '[access]\nallow-guest-user = true\n[resource]\npath = "/mnt/flux/config/etc/flux/system/R"\n' +
        '[bootstrap]\ncurve_cert = "/c"\ndefault_port = 8050\nhosts = [{ host = "mc-[0-3]" }]\n' +
        '[tbon]\ntopo = "kary:2"\ntcp_user_timeout = "1m"\n',
    );
    const keys = dropOwned(table).map(({ key }) => key);
    expect(keys).toEqual([
      'bootstrap.curve_cert',
      'bootstrap.default_port',
      'bootstrap.hosts',
      'tbon.topo',
      'resource.path',
    ]);
    expect(table).toEqual({ access: { 'allow-guest-user': true }, tbon: { tcp_user_timeout: '1m' } });
  });
});

describe('mergeTables', () => {
  it.each<[string, TomlTable, TomlTable, TomlTable]>([
    ['tables side by side', { a: { x: 1 } }, { b: { y: 2 } }, { a: { x: 1 }, b: { y: 2 } }],
    ['keys of one table', { a: { x: 1 } }, { a: { y: 2 } }, { a: { x: 1, y: 2 } }],
    [
      'nested tables, however deep',
      { a: { b: { c: { x: 1 }, y: 2 } } },
      { a: { b: { c: { z: 3 } } } },
      { a: { b: { c: { x: 1, z: 3 }, y: 2 } } },
    ],
    ["a value: the user's counts", { a: { x: 1 } }, { a: { x: 2 } }, { a: { x: 2 } }],
    ["a list: the user's counts", { a: [1, 2] }, { a: [3] }, { a: [3] }],
    ["a table and a value: the user's counts", { a: { x: 1 } }, { a: 1 }, { a: 1 }],
    ["a value and a table: the user's counts", { a: 1 }, { a: { x: 1 } }, { a: { x: 1 } }],
    ['names that every object has', { a: 1 }, { constructor: { x: 1 } }, { a: 1, constructor: { x: 1 } }],
  ])('merges %s', (_, ours, user, merged) => {
    const before = structuredClone([ours, user]);
    expect(mergeTables(ours, user)).toEqual(merged);
    expect([ours, user]).toEqual(before);
  });

  it('keeps dates, times and every other kind of value that TOML has', () => {
    const user = parse(
      'd = 2026-11-24T05:00:00Z\nl = 2026-11-24\nt = 05:00:00\nf = 1.5\ni = -3\nb = false\ns = "é\\n\\u0000"\n' +
        'nan = nan\ninf = -inf\nlist = [[1], ["a"]]\ninline = { x = { y = 1 } }\n[[tables]]\nx = 1\n[[tables]]\n[tables.y]\n',
    );
    expect(parse(formatToml(mergeTables({ d: {}, own: 1 }, user)))).toEqual({ ...user, own: 1 });
  });
});
