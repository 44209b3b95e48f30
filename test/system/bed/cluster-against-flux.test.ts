import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatHostlist, formatIndexedHosts, parseHostlist } from '../../../agent/cluster/hostlist.ts';
import { formatIdset, parseIdset } from '../../../agent/cluster/idset.ts';
import { parseTopology } from '../../../agent/cluster/topology.ts';
import { askInstance, readTrees, runFlux } from '../../support/flux/flux-tree.ts';

const flux = findFlux();
if (flux === undefined) {
  console.warn(
    'SKIPPED test/system/bed/cluster-against-flux.test.ts: there is no flux to compare with; put one on PATH or in /opt/flux',
  );
}

describe.skipIf(flux === undefined)('host lists as flux has them', () => {
  it('agree for jobs of 1 to 10,000 pods', async () => {
    const counts = [1, 2, 3, 9, 10, 11, 16, 99, 100, 101, 1000, 1024, 10_000];
    const plain = counts.map((count) => formatIndexedHosts('mc-', count));
    const all = plain.map((text) => parseHostlist(text));
    expect(all.map(({ length }) => length)).toEqual(counts);
    const encoded = await python(
      'from flux.hostlist import Hostlist',
      'answer = [Hostlist(hosts).encode() for hosts in asked]',
      all,
    );
    expect(plain).toEqual(encoded);
    expect(all.map((hosts) => formatHostlist(hosts))).toEqual(encoded);
    const texts = [...plain, ...counts.map((count) => formatIndexedHosts('mc-', count, '.svc.ns'))];
    expect(texts.map((text) => parseHostlist(text))).toEqual(await fluxReads('hostlist', 'Hostlist', texts));
  });

  it('agree for any names, printed and read', async () => {
    const name = fc
      .tuple(fc.constantFrom('', 'mc-', 'n', 'r1n', 'a.b-'), fc.integer({ min: 0, max: 130 }), fc.nat(4))
      .map(([prefix, id, width]) => `${prefix}${String(id).padStart(width, '0')}`);
    const runs = fc.tuple(name, fc.nat(12)).map(([start, more]) => successors(start, more));
    const other = fc
      .constantFrom('login', 'mc-3.svc.ns', 'n12-eth0', 'x999999999999999')
      .map((host) => [host]);
    const lists = fc
      .sample(fc.array(fc.oneof(runs, other), { minLength: 1, maxLength: 9 }), { numRuns: 1000, seed: 29 })
      .map((parts) => parts.flat());
    const printed = await python(
      'from flux.hostlist import Hostlist',
      'answer = [[Hostlist(hosts).encode(), list(Hostlist(Hostlist(hosts).encode()))] for hosts in asked]',
      lists,
    );
    expect(lists.map((hosts) => [formatHostlist(hosts), parseHostlist(formatHostlist(hosts))])).toEqual(
      printed,
    );
  });

  it('are read alike, or refused alike', async () => {
    const read = [
      '',
      'a b\tc',
      ...',a,,b, [00-2] x[005,4,11-13] x[1,1,2,1] x[08-11]-eth2,y x[9-10]'.split(' '),
    ];
    const refused = 'x[ x] x[] x[5-3] x[[1]] x[1,] x[,1] x[-1] x[1-2-3] x[a] x[0-1048576]'.split(' ');
    const theirs = await fluxReads('hostlist', 'Hostlist', [...read, ...refused]);
    expect([...read, ...refused].map((text) => attempt(() => parseHostlist(text)))).toEqual(theirs);
    expect(theirs).toEqual([...read.map(() => expect.any(Array)), ...refused.map(() => null)]);
  });

  it('differ only where hostlist.ts says so', async () => {
    const texts = ['x[1-]', 'x[1, 2]', 'r[0-1]n[0-1]'];
    const theirs = await fluxReads('hostlist', 'Hostlist', texts);
    expect(theirs).toEqual([['x1'], ['x1', 'x02'], ['r0n[0-1]', 'r1n[0-1]']]);
    const ours = texts.map((text) => attempt(() => parseHostlist(text)));
    expect(ours).toEqual([null, null, ['r0n0', 'r0n1', 'r1n0', 'r1n1']]);
  });
});

describe.skipIf(flux === undefined)('idsets as flux has them', () => {
  it('agree for any ids, printed and read', async () => {
    const id = fc.oneof(fc.nat(30), fc.nat(2000));
    const sets = fc.sample(fc.array(id, { maxLength: 40 }), { numRuns: 1000, seed: 22 });
    const printed = await python(
      'from flux.idset import IDset',
      'answer = [str(IDset(",".join(map(str, sorted(set(ids)))))) for ids in asked]',
      sets,
    );
    expect(sets.map((ids) => formatIdset(ids))).toEqual(printed);
    const read = await fluxReads('idset', 'IDset', printed);
    expect(sets.map((ids) => parseIdset(formatIdset(ids)))).toEqual(read);
  });

  it('are read alike, or refused alike', async () => {
    const read = ['', '[]', '0', '[1-3,5-6,42]', '1,2,3'];
    const refused = ['1 ', ...'01 0-01 2,1 1,1 1-3,3 3-1 3-3 1- -1 +1 [1 1] [[1]] 2147483648'.split(' ')];
    const theirs = await fluxReads('idset', 'IDset', [...read, ...refused]);
    expect([...read, ...refused].map((text) => attempt(() => parseIdset(text)))).toEqual(theirs);
    expect(theirs).toEqual([...read.map(() => expect.any(Array)), ...refused.map(() => null)]);
  });

  it('print as flux R does the ranks it was given', async () => {
    const ranks = [0, 1, 2, 3, 7, 12, 13, 40];
    const encoded = await run(['R', 'encode', `--ranks=${ranks.join(',')}`, '--cores=0-1']);
    expect(await run(['R', 'decode', '--ranks'], encoded)).toBe(formatIdset(ranks));
  });
});

describe.skipIf(flux === undefined)('trees of real instances', () => {
  // That ours are those of the recordings: test/cluster/trees-of-flux.test.ts. One of each kind shows that this Flux does as the recorded one.
  const seen = new Set<string>();
  const one = readTrees()
    .filter(({ uri, size }) => size >= 5 && /^(kary:2|mincrit|mincrit:2|binomial|custom)$/.test(uri))
    .filter(({ uri }) => !seen.has(uri) && seen.add(uri));

  it.each(one)('are as recorded for $uri of size $size', async ({ uri, size, described }) => {
    expect(await askInstance(flux ?? '', [`--test-size=${size}`, `-Stbon.topo=${uri}`])).toEqual(described);
  });

  it.each(['nope', 'kary', 'kary:', 'kary:x', 'mincrit:x', 'binomial:2', 'custom:2'])(
    '"%s" is refused by both',
    async (uri) => {
      const theirs = askInstance(flux ?? '', ['--test-size=1', `-Stbon.topo=${uri}`]);
      await expect(theirs).rejects.toThrow(`error creating '${uri}' topology`);
      expect(() => parseTopology(uri)).toThrow(SyntaxError);
    },
  );
});

/** Runs a line of Python that makes `answer` of `asked`, with Flux's bindings: many questions for one start. */
async function python(imports: string, line: string, asked: unknown): Promise<unknown> {
  const program = `import json, sys\n${imports}\nasked = json.load(sys.stdin)\n${line}\njson.dump(answer, sys.stdout)\n`;
  return JSON.parse(await run(['python', '-c', program], JSON.stringify(asked)));
}

/** What Flux's Python class makes of each text, as a list; null where it raises. */
function fluxReads(module: string, name: string, texts: unknown): Promise<unknown> {
  const read = `
def read(text):
    try:
        return list(${name}(text))
    except Exception:
        return None
answer = [read(text) for text in asked]`;
  return python(`from flux.${module} import ${name}`, read, texts);
}

const run = (args: readonly string[], input = ''): Promise<string> => runFlux(flux ?? 'flux', args, input);

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** A name and those that follow it when its number counts on, with the width of the first. */
function successors(start: string, more: number): string[] {
  const [, prefix = '', digits = ''] = /^(.*?)(\d+)$/.exec(start) ?? [];
  return Array.from(
    { length: more + 1 },
    (_, step) => `${prefix}${String(Number(digits) + step).padStart(digits.length, '0')}`,
  );
}

function findFlux(): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/opt/flux/bin'];
  return directories.map((path) => join(path, 'flux')).find((path) => existsSync(path));
}
