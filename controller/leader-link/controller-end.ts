/** The controller's end of a controller link. */
import type { HostPort } from '../../agent/address.ts';
import { controllerLinkPath, type Report, readReport } from '../../agent/controller-link/report.ts';
import { type NoLink, type OpenLink, type OpenLinkOptions, openLink } from '../../agent/link/open-link.ts';

export interface ControllerLinkOptions extends Pick<OpenLinkOptions, 'key' | 'signal' | 'deadlines'> {
  /** Names this controller: a second link of the same name replaces the first. */
  readonly holder: string;
  readonly onReport: (report: Report) => void;
}

/** Opens a link to the leader's agent at `address`. */
export const openControllerLink = (
  address: HostPort,
  { key, holder, signal, onReport, deadlines }: ControllerLinkOptions,
): Promise<OpenLink | NoLink> =>
  openLink(address, {
    path: controllerLinkPath,
    key,
    name: { rank: 0, peer: holder },
    signal,
    deadlines,
    onMessage: (message) => {
      const report = readReport(message);
      if (report) onReport(report);
      return report !== false;
    },
  });
