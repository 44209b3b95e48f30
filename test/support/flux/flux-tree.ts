/** A tree of brokers as flux describes it: `overlay.topology`, and each rank's tbon attributes. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Tree } from '../../../agent/cluster/topology.ts';

export interface TreeSpec {
  /** As tbon.topo has it. */
  readonly uri: string;
  readonly size: number;
}

export interface RecordedTree extends TreeSpec {
  readonly described: unknown;
}

const recordings = 'test/cluster/trees-of-flux.jsonl';
const uris = 'kary:0 kary:1 kary:2 kary:3 mincrit mincrit:2 mincrit:3 binomial custom'.split(' ');

/** Those that are recorded. Two schemes a size, in turn: each scheme meets small and large sizes. */
export const recordedSpecs: readonly TreeSpec[] = [
  ...Array.from({ length: 32 }, (_, i) => ({ size: 1 + (i >> 1), uri: uris[i % uris.length] ?? '' })),
  ...['kary:3', 'mincrit:5', 'binomial'].map((uri) => ({ size: 40, uri })),
];

/** What `node test/support/flux/record-trees.ts` has written. */
export const readTrees = (): RecordedTree[] =>
  readFileSync(recordings, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

export const treesFile = recordings;

/** A tree in the way flux describes it. */
export function describeTree(tree: Tree): unknown {
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

/** Starts an instance without rc scripts, and resolves to what its first rank says of the tree. */
export async function askInstance(flux: string, options: readonly string[]): Promise<unknown> {
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
  return JSON.parse(await runFlux(flux, ['start', ...options, ...bare, flux, 'python', '-c', program]));
}

/** Runs flux and resolves to what it printed, less the line end; rejects with its error output when it fails. */
export function runFlux(flux: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(flux, args, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.trimEnd());
      else reject(new Error(`flux ${args.join(' ')}: ${stderr}`, { cause: error }));
    });
    // Commands that read nothing may end before this is written; their outcome is what counts.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
