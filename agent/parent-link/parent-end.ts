/**
 * The parent's end of the parent links: one for each child's agent. It breaks when the parent's pod dies, and it carries the announcements of a
 * stop and of the outcome.
 */
import { randomUUID } from 'node:crypto';
import type { Membership } from '../broker/membership.ts';
import type { Extension } from '../health/http-server.ts';
import { type AcceptedLink, acceptLink } from '../link/accept-link.ts';
import { within } from '../timeout.ts';
import { type Announcement, parentLinkPath } from './announcement.ts';

export interface ParentLinks {
  /** Serves the links' path. */
  readonly extension: Extension;
  /** A broker process has started: children may open links to it. `key` is the instance's. */
  readonly begin: (key: Buffer) => void;
  /** The broker process has exited without an outcome: the links break, and the children look for the next broker. */
  readonly interrupt: () => void;
  /** Sends it on all links, and on each that is opened later. */
  readonly announce: (message: Announcement) => void;
  /** Fulfilled when every child has received the outcome and closed its link, or after `ms`. Without an outcome the links break at once. */
  readonly settled: (ms: number) => Promise<void>;
}

/** A broker process of this pod. */
interface Life {
  readonly incarnation: string;
  readonly key: Buffer;
  readonly announced: Announcement[];
}

/** The links of the children that the tree gives this rank, at most one each: a newer one replaces the older. */
export function createParentLinks({ rank, tree }: Pick<Membership, 'rank' | 'tree'>): ParentLinks {
  const links = new Map<string, AcceptedLink>();
  let life: Life | undefined;
  let onEmpty = () => undefined as unknown;

  const isChild = (other: number) => other > 0 && other < tree.size && tree.parentOf(other) === rank;

  const interrupt = () => {
    life = undefined;
    for (const link of links.values()) link.close();
  };

  return {
    extension: (request, response, hold) => {
      if (request.url !== parentLinkPath) return false;
      const under = life;
      acceptLink(request, response, hold, {
        rank,
        key: under?.key,
        incarnation: under?.incarnation ?? '',
        admits: (peer) => /^(0|[1-9]\d{0,6})$/.test(peer) && isChild(Number(peer)),
        onOpen: (child, link) => {
          if (life !== under) return link.close();
          links.get(child)?.close();
          links.set(child, link);
          for (const message of under?.announced ?? []) link.send(message);
        },
        onClose: (child, link) => {
          if (links.get(child) !== link) return;
          links.delete(child);
          if (links.size === 0) onEmpty();
        },
      });
      return true;
    },
    begin: (key) => {
      interrupt();
      life = { incarnation: randomUUID(), key, announced: [] };
    },
    interrupt,
    announce: (message) => {
      life?.announced.push(message);
      if (life) for (const link of links.values()) link.send(message);
    },
    settled: async (ms) => {
      if (!life?.announced.some(({ kind }) => kind === 'outcome')) return interrupt();
      if (links.size === 0) return;
      const empty = new Promise<void>((resolve) => {
        onEmpty = () => resolve();
      });
      await within(ms, empty);
    },
  };
}
