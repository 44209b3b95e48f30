import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatHostlist, formatIndexedHosts, parseHostlist } from '../../agent/cluster/hostlist.ts';
import { formatIdset, parseIdset } from '../../agent/cluster/idset.ts';
import { createTopology, parseTopology, type Tree } from '../../agent/cluster/topology.ts';

const flux = findFlux();
if (flux === undefined) {
  console.warn(
    'SKIPPED test/system/cluster-against-flux.test.ts: there is no flux to compare with; put one on PATH or in /opt/flux',
  );
}

describe.skipIf(flux === undefined)('host lists as flux has them', () => {
  it.each([1, 2, 3, 9, 10, 11, 16, 99, 100, 101, 1000, 1024, 10_000])(
    'agree for a job of %i pods',
    async (count) => {
      const names = Array.from({ length: count }, (_, index) => `mc-${index}`);
      const text = formatIndexedHosts('mc-', count);
      expect(await run(['hostlist'], names.join(' '))).toBe(text);
      expect(formatHostlist(names)).toBe(text);
      const withSuffix = formatIndexedHosts('mc-', count, '.svc.ns');
      expect(await run(['hostlist', '--expand'], withSuffix)).toBe(parseHostlist(withSuffix).join(' '));
    },
  );

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
  const uris = 'kary:0 kary:1 kary:2 kary:3 mincrit mincrit:2 mincrit:3 binomial custom'.split(' ');
  // Two schemes a size, in turn: each scheme meets small and large sizes, and the whole stays under a minute.
  const small = Array.from({ length: 32 }, (_, i) => ({
    size: 1 + (i >> 1),
    uri: uris[i % uris.length] ?? '',
  }));
  const large = ['kary:3', 'mincrit:5', 'binomial'].map((uri) => ({ size: 40, uri }));

  it.each([...small, ...large])('agree for $uri of size $size', async ({ uri, size }) => {
    const theirs = await askInstance([`--test-size=${size}`, `-Stbon.topo=${uri}`]);
    expect(describeTree(createTopology(parseTopology(uri), size))).toEqual(theirs);
  });

  it.each(['nope', 'kary', 'kary:', 'kary:x', 'mincrit:x', 'binomial:2', 'custom:2'])(
    '"%s" is refused by both',
    async (uri) => {
      const theirs = askInstance(['--test-size=1', `-Stbon.topo=${uri}`]);
      await expect(theirs).rejects.toThrow(`error creating '${uri}' topology`);
      expect(() => parseTopology(uri)).toThrow(SyntaxError);
    },
  );
});

/** A tree in the way flux tells it: the answer of overlay.topology, and each rank's tbon attributes. */
function describeTree(tree: Tree): unknown {
  const subtree = (rank: number): unknown => ({
    rank,
    size: tree.descendantCountOf(rank) + 1,
    children: tree.childrenOf(rank).map(subtree),
  });
  const ranks = Array.from({ length: tree.size }, (_, rank) => ({
    parent: tree.parentOf(rank) ?? null,
    level: tree.levelOf(rank),
    maxLevel: tree.maxLevel,
    descendants: tree.descendantCountOf(rank),
  }));
  return { tree: subtree(0), ranks };
}

/** Starts an instance without rc scripts, has its first rank describe the tree, and returns what it said. */
async function askInstance(options: readonly string[]): Promise<unknown> {
  const program = `
import flux, json
handle = flux.Flux()
def attr(rank, name):
    return int(handle.rpc("attr.get", {"name": "tbon." + name}, nodeid=rank).get()["value"])
tree = handle.rpc("overlay.topology", {"rank": 0}).get()
parents = {0: None}
def walk(node):
    for child in node["children"]:
        parents[child["rank"]] = node["rank"]
        walk(child)
walk(tree)
ranks = [
    {"parent": parents[rank], "level": attr(rank, "level"), "maxLevel": attr(rank, "maxlevel"),
     "descendants": attr(rank, "descendants")}
    for rank in range(tree["size"])
]
print(json.dumps({"tree": tree, "ranks": ranks}))
`;
  const bare = ['-Sbroker.rc1_path=', '-Sbroker.rc3_path='];
  return JSON.parse(await run(['start', ...options, ...bare, flux ?? 'flux', 'python', '-c', program]));
}

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

/** Runs flux and returns what it printed, less the line end; rejects with its error output when it fails. */
function run(args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(flux ?? 'flux', args, { timeout: 30_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.trimEnd());
      else reject(new Error(`flux ${args.join(' ')}: ${stderr}`, { cause: error }));
    });
    // Commands that read nothing may end before this is written; their outcome is what counts.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

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
