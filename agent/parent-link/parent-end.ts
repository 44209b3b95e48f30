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
  /**
   * Fulfilled when every child has received the outcome and closed its link, or after `ms`. A child whose broker has `joined` is waited for also
   * where its first link is not open yet: the program may take less time than that. Without an outcome the links break at once.
   */
  readonly settled: (ms: number, joined: Iterable<number>) => Promise<void>;
}

/** A broker process of this pod. */
interface Life {
  readonly incarnation: string;
  readonly key: Buffer;
  readonly announced: Announcement[];
  /** Children that have had a link to it. */
  readonly linked: Set<string>;
}

/** The links of the children that the tree gives this rank, at most one each: a newer one replaces the older. */
export function createParentLinks({ rank, tree }: Pick<Membership, 'rank' | 'tree'>): ParentLinks {
  const links = new Map<string, AcceptedLink>();
  let life: Life | undefined;
  let onClosed = () => {};

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
          if (!under || life !== under) return link.close();
          under.linked.add(child);
          links.get(child)?.close();
          links.set(child, link);
          for (const message of under.announced) link.send(message);
        },
        onClose: (child, link) => {
          if (links.get(child) !== link) return;
          links.delete(child);
          onClosed();
        },
      });
      return true;
    },
    begin: (key) => {
      interrupt();
      life = { incarnation: randomUUID(), key, announced: [], linked: new Set() };
    },
    interrupt,
    announce: (message) => {
      life?.announced.push(message);
      if (life) for (const link of links.values()) link.send(message);
    },
    settled: async (ms, joined) => {
      if (!life?.announced.some(({ kind }) => kind === 'outcome')) return interrupt();
      const { linked } = life;
      const awaited = [...joined].map(String);
      const isSettled = () => links.size === 0 && awaited.every((child) => linked.has(child));
      if (isSettled()) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      onClosed = () => {
        if (isSettled()) resolve();
      };
      await within(ms, promise);
    },
  };
}
