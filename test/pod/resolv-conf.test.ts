import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseResolvConf, systemNameservers } from '../../agent/pod/resolv-conf.ts';
import { podFacts } from '../support/bed/pod-facts.ts';

describe('resolv.conf(5)', () => {
  it('of a pod names its server and its search list', () => {
    expect(parseResolvConf(podFacts().resolvConf)).toEqual({
      nameservers: ['10.96.0.10'],
      search: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
    });
  });

  it.each([
    ['nothing', '', []],
    ['one', 'nameserver 10.96.0.10', ['10.96.0.10']],
    ['several, in their order', 'nameserver 10.0.0.2\nnameserver 10.0.0.1\n', ['10.0.0.2', '10.0.0.1']],
    ['IPv6', 'nameserver fd00::a\n', ['fd00::a']],
    ['IPv6 with a zone', 'nameserver fe80::a%eth0\n', ['fe80::a%eth0']],
    ['one a line', 'nameserver 10.0.0.1 10.0.0.2\n', ['10.0.0.1']],
    ['tabs and blanks', '  nameserver\t 10.0.0.1  \n', ['10.0.0.1']],
    [
      'lines that end as on Windows',
      'nameserver 10.0.0.1\r\nnameserver 10.0.0.2\r\n',
      ['10.0.0.1', '10.0.0.2'],
    ],
    ['a comment behind', 'nameserver 10.0.0.1 # kube-dns\n', ['10.0.0.1']],
    ['comments', '# nameserver 10.0.0.1\n;nameserver 10.0.0.2\n', []],
    ['no address', 'nameserver\nnameserver kube-dns\nnameserver 10.0.0\n', []],
    ['another keyword', 'nameservers 10.0.0.1\noptions ndots:5\n', []],
  ])('has as name servers: %s', (_, text, nameservers) => {
    expect(parseResolvConf(text).nameservers).toEqual(nameservers);
  });

  it.each([
    ['nothing', 'nameserver 10.0.0.1\n', []],
    ['all names of a line', 'search a.b c\td\n', ['a.b', 'c', 'd']],
    ['those of the last line', 'search a b\nsearch c\n', ['c']],
    ['names without their closing dots', 'search a.b. c.\n', ['a.b', 'c']],
    ['none, after an empty line of that name', 'search a\nsearch\n', []],
  ])('has as search list: %s', (_, text, search) => {
    expect(parseResolvConf(text).search).toEqual(search);
  });
});

describe('the name servers of this machine', () => {
  const fileOf = (text: string): string => {
    const directory = mkdtempSync(join(tmpdir(), 'resolv-conf-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, 'resolv.conf'), text);
    return join(directory, 'resolv.conf');
  };
  const at = (...hosts: string[]) => hosts.map((host) => ({ host, port: 53 }));

  it('are those of resolv.conf, at port 53', () => {
    expect(systemNameservers(fileOf('nameserver 10.0.0.1\nnameserver fd00::a\n'))).toEqual(
      at('10.0.0.1', 'fd00::a'),
    );
  });

  it('are its own where resolv.conf names none, or does not exist (resolv.conf(5))', () => {
    expect(systemNameservers(fileOf('search a.b\n'))).toEqual(at('127.0.0.1'));
    expect(systemNameservers('/nowhere/resolv.conf')).toEqual(at('127.0.0.1'));
  });
});
