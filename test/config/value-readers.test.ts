import { describe, expect, it } from 'vitest';
import { parseHostPort } from '../../agent/address.ts';
import {
  absolutePath,
  address,
  domainName,
  duration,
  hostPort,
  label,
  listen,
  localSocket,
  nameservers,
  oneOf,
  onFailure,
  resources,
  text,
  wholeNumber,
  words,
} from '../../agent/config/value-readers.ts';
import { parseDuration } from '../../agent/duration.ts';

const refused = undefined;

describe('a whole number', () => {
  it.each([
    ['1', 1],
    ['9', 9],
    ['007', 7],
    [4, 4],
  ])('is read off %j', (raw, value) => {
    expect(wholeNumber(1, 9)(raw)).toBe(value);
  });

  it.each([
    '0',
    '10',
    'four',
    '1e9',
    '1e0',
    '-1',
    '+1',
    '1.0',
    '1.5',
    ' 1',
    '1\n',
    '0x1',
    '',
    '1000000000000000000000',
    0,
    10,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    true,
    [1],
    {},
  ])('of 1 to 9 is not %j', (raw) => {
    expect(wholeNumber(1, 9)(raw)).toBe(refused);
  });
});

describe('a DNS label', () => {
  it.each(['mc', 'a', '0', 'a-b-2-c', '5', 'a--b', 'a'.repeat(63)])('is %s', (raw) => {
    expect(label(raw)).toBe(raw);
  });

  it.each(['', '-', '-a', 'a-', 'Mc', 'a_b', 'a.b', 'a b', 'é', 'a\n', 'a'.repeat(64), 5])(
    'is not %j',
    (raw) => {
      expect(label(raw)).toBe(refused);
    },
  );
});

describe('a domain name', () => {
  it.each([
    ['cluster.local', 'cluster.local'],
    ['cluster.local.', 'cluster.local'],
    ['local', 'local'],
    ['K8s.Example.ORG', 'K8s.Example.ORG'],
  ])('%s is read as %s', (raw, value) => {
    expect(domainName(raw)).toBe(value);
  });

  it.each(['', '.', '.local', 'a..b', 'a.-b', 'a-.b', 'a_b.c', 'a b', 'a.b..'])('is not %j', (raw) => {
    expect(domainName(raw)).toBe(refused);
  });
});

describe('an address', () => {
  it.each(['10.0.0.1', '255.255.255.255', '::', '::1', 'fd00::1', '::ffff:10.0.0.1'])('is %s', (raw) => {
    expect(address(raw)).toBe(raw);
  });

  it.each(['', '10.0.0', '10.0.0.256', '10.0.0.1:80', '[fd00::1]', 'fd00:::1', 'fe80::1%eth0', 'host', 7])(
    'is not %j',
    (raw) => {
      expect(address(raw)).toBe(refused);
    },
  );
});

describe('one of several words', () => {
  it.each([
    ['start', 'start'],
    ['stop', 'stop'],
    ['Start', refused],
    ['star', refused],
    ['', refused],
    [1, refused],
  ])('%j is read as %j', (raw, value) => {
    expect(oneOf(['start', 'stop'])(raw)).toBe(value);
  });
});

describe('text and paths', () => {
  it.each([
    ['text', text, 'kary:2', 'kary:2'],
    ['blank text', text, ' \t', refused],
    ['an absolute path', absolutePath, '/etc/x y', '/etc/x y'],
    ['a relative path', absolutePath, 'etc/x', refused],
    ['a path with a NUL', absolutePath, '/etc/\0x', refused],
    ['no path', absolutePath, '', refused],
  ])('%s', (_, read, raw, value) => {
    expect(read(raw)).toBe(value);
  });
});

describe('a local socket', () => {
  it.each([
    ['/run/flux/local', '/run/flux/local'],
    ['local:///tmp/flux-abc/local-0', '/tmp/flux-abc/local-0'],
    [`/${'é'.repeat(53)}`, `/${'é'.repeat(53)}`],
  ])('%j is %s', (raw, path) => {
    expect(localSocket(raw)).toBe(path);
  });

  it.each(['', 'local', 'local://run', 'ssh://host/run/flux/local', '/a\0b', `/${'é'.repeat(54)}`, 7])(
    '%j is none',
    (raw) => {
      expect(localSocket(raw)).toBe(refused);
    },
  );
});

describe('words', () => {
  it.each([
    ['-Sa=1  -Sb=2\t-v\n', ['-Sa=1', '-Sb=2', '-v']],
    [' ', []],
    [
      ['-Sa=one word', '-v'],
      ['-Sa=one word', '-v'],
    ],
    [['-v', 1], refused],
    [5, refused],
  ])('%j is read as %j', (raw, value) => {
    expect(words(raw)).toEqual(value);
  });
});

describe('a duration (RFC 23)', () => {
  it.each([
    ['90', 90],
    ['90s', 90],
    ['250ms', 0.25],
    ['10m', 600],
    ['1.5h', 5400],
    ['2d', 172_800],
    ['0', 0],
    ['.5s', 0.5],
    ['1.s', 1],
    ['1e3ms', 1],
    ['1e-3', 0.001],
    ['inf', Number.POSITIVE_INFINITY],
    ['infinity', Number.POSITIVE_INFINITY],
    ['INF', Number.POSITIVE_INFINITY],
  ])('of %s is %d seconds', (raw, seconds) => {
    expect(parseDuration(raw)).toBe(seconds);
    expect(duration(raw)).toBe(seconds);
  });

  it.each(['', 's', '-1s', '+1s', '1 s', '1S', '1M', '1w', '1us', 'nan', 'infs', '1h30m', 'ten', '0x10'])(
    'is not %j',
    (raw) => {
      expect(parseDuration(raw)).toBeUndefined();
      expect(duration(raw)).toBe(refused);
    },
  );

  it.each([
    [90, 90],
    [1.5, 1.5],
    [0, 0],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    [-1, refused],
    [Number.NaN, refused],
    [true, refused],
  ])('as the TOML value %j is %j', (raw, value) => {
    expect(duration(raw)).toBe(value);
  });
});

describe('a socket address', () => {
  it.each([
    ['lead.example.org:8050', { host: 'lead.example.org', port: 8050 }],
    ['10.0.0.1:1', { host: '10.0.0.1', port: 1 }],
    ['[fd00::1]:65535', { host: 'fd00::1', port: 65_535 }],
  ])('is read off %s', (raw, value) => {
    expect(parseHostPort(raw)).toEqual(value);
    expect(hostPort(raw)).toEqual(value);
  });

  it.each([
    '',
    'lead',
    ':8050',
    'lead:',
    'lead:x',
    'lead:65536',
    'lead:0',
    'fd00::1',
    'fd00::1:8050',
    '[fd00::1]',
    '[fd00::1',
    '[lead]:8050',
    'le ad:8050',
    'tcp://lead:8050',
    'a:1:2',
    8050,
  ])('is not %j', (raw) => {
    expect(hostPort(raw)).toBe(refused);
  });

  it.each([
    ['10.0.0.1', { host: '10.0.0.1', port: 53 }],
    ['fd00::1', { host: 'fd00::1', port: 53 }],
    ['[fd00::1]', { host: 'fd00::1', port: 53 }],
    ['[fd00::1]:54', { host: 'fd00::1', port: 54 }],
    ['::ffff:10.0.0.1', { host: '::ffff:10.0.0.1', port: 53 }],
  ])('needs no port where there is a default: %s', (raw, value) => {
    expect(parseHostPort(raw, 53)).toEqual(value);
  });
});

describe('name servers', () => {
  it.each([
    ['10.96.0.10', [{ host: '10.96.0.10', port: 53 }]],
    [
      '10.96.0.10:5353 fd00::a',
      [
        { host: '10.96.0.10', port: 5353 },
        { host: 'fd00::a', port: 53 },
      ],
    ],
    [['[fd00::a]:5353'], [{ host: 'fd00::a', port: 5353 }]],
  ])('are read off %j', (raw, value) => {
    expect(nameservers(raw)).toEqual(value);
  });

  it.each([
    '',
    ' ',
    [],
    'kube-dns',
    '10.96.0.10,10.96.0.11',
    '10.96.0.10:0',
    '10.96.0.10 kube-dns:53',
    '10.96.0',
  ])('are not %j, for a name server is asked by its address', (raw) => {
    expect(nameservers(raw)).toBe(refused);
  });
});

describe('resources', () => {
  it.each([
    ['auto', { from: 'auto' }],
    ['discover', { from: 'discovery' }],
    ['/etc/R.json', { from: 'file', path: '/etc/R.json' }],
    ['cores=4', { from: 'counts', cores: 4, gpus: 0 }],
    ['cores=4 gpus=2', { from: 'counts', cores: 4, gpus: 2 }],
    ['cores=4,gpus=0', { from: 'counts', cores: 4, gpus: 0 }],
  ])('are read off %s', (raw, value) => {
    expect(resources(raw)).toEqual(value);
  });

  it.each(['', 'Auto', '4', 'cores=0', 'cores=-1', 'cores=x', 'gpus=2', 'cores=4 gpus=', 'R.json', 4])(
    'are not %j',
    (raw) => {
      expect(resources(raw)).toBe(refused);
    },
  );
});

describe('what becomes of a failed pod', () => {
  it.each([
    ['exit', { hold: false }],
    ['hold', { hold: true, seconds: Number.POSITIVE_INFINITY }],
    ['hold:10m', { hold: true, seconds: 600 }],
    ['hold:inf', { hold: true, seconds: Number.POSITIVE_INFINITY }],
  ])('is read off %s', (raw, value) => {
    expect(onFailure(raw)).toEqual(value);
  });

  it.each(['', 'hold:', 'hold:x', 'hold:-1', 'exit:1', 'HOLD', 10])('is not %j', (raw) => {
    expect(onFailure(raw)).toBe(refused);
  });
});

describe('where probes are served', () => {
  it.each([
    ['off', 'off'],
    ['0.0.0.0:8051', { host: '0.0.0.0', port: 8051 }],
    ['[::]:8051', { host: '::', port: 8051 }],
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
  ])('is read off %s', (raw, value) => {
    expect(listen(raw)).toEqual(value);
  });

  it.each(['', 'on', '8051', ':8051', '0.0.0.0', '0.0.0.0:99999', 8051])('is not %j', (raw) => {
    expect(listen(raw)).toBe(refused);
  });
});
