/** The tree of brokers below one of them, as text: siblings without children of their own that are in the same state share a line. */
import { formatHostlist, parseHostlist } from '../../agent/cluster/hostlist.ts';
import { formatIdset } from '../../agent/cluster/idset.ts';
import type { Tree } from '../../agent/cluster/topology.ts';
import type { FluxClient } from '../../agent/flux/client.ts';
import { getHealth, type Subtree } from '../../agent/flux/services/overlay.ts';

export interface OverlayNode extends Subtree {
  readonly children: readonly OverlayNode[];
}

/** Asks each broker that has children for their health. One that does not answer is shown as its parent sees it. */
export async function askOverlayTree(client: FluxClient, tree: Tree, rank: number): Promise<OverlayNode> {
  const health = await getHealth(client, { nodeid: rank, timeoutMs: 1000 });
  const children = health.children.map((child): OverlayNode | Promise<OverlayNode> => {
    const alone = { ...child, children: [] };
    const absent = child.status === 'lost' || child.status === 'offline';
    if (absent || tree.descendantCountOf(child.rank) === 0) return alone;
    return askOverlayTree(client, tree, child.rank).catch(() => alone);
  });
  return { ...health, children: await Promise.all(children) };
}

/** One line a broker, or a group of alike ones. */
export function drawOverlayTree(root: OverlayNode, hostlist: string): string[] {
  const hosts = parseHostlist(hostlist);
  const nameOf = ({ ranks, status, error }: Row) => {
    const names = formatHostlist(ranks.map((rank) => hosts[rank] ?? String(rank)));
    return `${formatIdset(ranks)} ${names}: ${status}${error === undefined ? '' : ` (${error})`}`;
  };
  const draw = (node: OverlayNode, indent: string): string[] => {
    const rows = fold(node.children);
    return rows.flatMap((row, place) => {
      const last = place === rows.length - 1;
      return [
        `${indent}${last ? '└─' : '├─'} ${nameOf(row)}`,
        ...(row.node ? draw(row.node, `${indent}${last ? '   ' : '│  '}`) : []),
      ];
    });
  };
  return [nameOf({ ranks: [root.rank], status: root.status, error: root.error }), ...draw(root, '')];
}

interface Row {
  readonly ranks: number[];
  readonly status: Subtree['status'];
  readonly error?: string | undefined;
  /** Where the row is one broker with children. */
  readonly node?: OverlayNode;
}

function fold(nodes: readonly OverlayNode[]): Row[] {
  const rows: Row[] = [];
  for (const node of nodes) {
    const { rank, status, error } = node;
    const alike = rows.find((row) => !row.node && row.status === status && row.error === error);
    if (node.children.length > 0) rows.push({ ranks: [rank], status, error, node });
    else if (alike) alike.ranks.push(rank);
    else rows.push({ ranks: [rank], status, error });
  }
  return rows;
}
