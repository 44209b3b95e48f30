/** The child's end of a parent link. */
import type { HostPort } from '../address.ts';
import { type NoLink, type OpenLink, type OpenLinkOptions, openLink } from '../link/open-link.ts';
import { type Announcement, parentLinkPath, readAnnouncement } from './announcement.ts';

export interface ParentLinkOptions extends Pick<OpenLinkOptions, 'signal' | 'deadlines'> {
  /** The instance's key. */
  readonly key: Buffer;
  readonly ranks: { readonly parent: number; readonly child: number };
  readonly onMessage: (message: Announcement) => void;
}

/** Opens a link to the agent at `parent`. */
export const openParentLink = (
  parent: HostPort,
  { key, ranks, signal, onMessage, deadlines }: ParentLinkOptions,
): Promise<OpenLink | NoLink> =>
  openLink(parent, {
    path: parentLinkPath,
    key,
    name: { rank: ranks.parent, peer: String(ranks.child) },
    signal,
    deadlines,
    onMessage: (message) => {
      const announcement = readAnnouncement(message);
      if (announcement) onMessage(announcement);
      return announcement !== undefined;
    },
  });
