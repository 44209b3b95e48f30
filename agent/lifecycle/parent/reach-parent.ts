/** Executes what a follower's machine commands about its parent: to find it, and to keep a link to its agent. Decides nothing. */
import type { KeyMemory } from '../../dns/wait/cache-keys.ts';
import type { NoLink, OpenLink } from '../../link/open-link.ts';
import type { ParentLinkOptions } from '../../parent-link/child-end.ts';
import { failedOutcome } from '../exit/outcome.ts';
import type { Command, Event } from '../machine.ts';
import type { PreparedPod } from '../prepare/prepare-pod.ts';
import type { Supervised } from '../supervised.ts';
import { findParent } from './find-parent.ts';

type Find = Command & { do: 'find parent' };

export interface ReachParent {
  /** Ends with the event `parent found` or `parent not found`, unless it is stopped. */
  readonly find: (command: Find) => Promise<void>;
  readonly stopFinding: () => void;
  /** Ends with the event `no link` or `link broken`, unless it is closed. */
  readonly openLink: (host: string) => Promise<void>;
  readonly closeLink: () => void;
}

interface Reaching extends Pick<Supervised, 'configuration' | 'podState' | 'log'> {
  readonly pod: Pick<PreparedPod, 'membership' | 'environment' | 'linkKey'>;
  readonly connection: Pick<Supervised['connection'], 'parentIsSilent'>;
}

/** One search and one link at a time. A link is heard until the parent's end closes it for the next one: nothing is missed between them. */
export function reachParent(
  { configuration, pod, podState, connection, log }: Reaching,
  feed: (event: Event) => void,
): ReachParent {
  const { membership, environment } = pod;
  const { parent } = membership;
  if (!parent) throw new Error('rank 0 has no parent');
  const ranks = { parent: parent.rank, child: membership.rank };
  const keyMemory: KeyMemory = {};
  let dnsQueries = 0;
  let search = new AbortController();
  let attempt: AbortController | undefined;
  let latest: AbortController | undefined;
  const open = new Set<AbortController>();

  const tryLink = async (host: string, how: Pick<ParentLinkOptions, 'signal' | 'onMessage'>) => {
    const { http } = configuration;
    if (http === 'off') return 'unavailable';
    try {
      const [{ openParentLink }, key] = await Promise.all([
        import('../../parent-link/child-end.ts'),
        pod.linkKey(),
      ]);
      return await openParentLink({ host, port: http.port }, { key, ranks, ...how });
    } catch (error) {
      log('error', 'The parent link could not be opened', { why: String(error) });
      return 'unavailable';
    }
  };

  return {
    find: async ({ known, foreign }) => {
      search = new AbortController();
      const { signal } = search;
      try {
        const { host, port, ...facts } = await findParent({
          parent,
          membership,
          configuration,
          environment,
          known,
          foreign,
          keyMemory,
          signal,
          log,
          onWait: (waitReason) => podState.set({ waitReason }),
        });
        dnsQueries += facts.questions;
        podState.set({ dnsQueries });
        if (!signal.aborted) feed({ kind: 'parent found', address: { host, port }, facts });
      } catch (error) {
        if (!signal.aborted) feed({ kind: 'parent not found', outcome: failedOutcome(error) });
      }
    },
    stopFinding: () => search.abort(),
    openLink: async (host) => {
      attempt?.abort();
      const own = new AbortController();
      attempt = own;
      const { signal } = own;
      const onMessage: ParentLinkOptions['onMessage'] = (message) => {
        if (!signal.aborted) feed({ kind: 'announced', message });
      };
      const opened: OpenLink | NoLink = await tryLink(host, { signal, onMessage });
      if (signal.aborted) return;
      attempt = undefined;
      if (typeof opened === 'string') {
        return feed({ kind: 'no link', why: opened, parentIsSilent: connection.parentIsSilent() });
      }
      latest = own;
      open.add(own);
      feed({ kind: 'link opened', incarnation: opened.incarnation });
      await opened.broken;
      open.delete(own);
      if (!signal.aborted && latest === own) feed({ kind: 'link broken' });
    },
    closeLink: () => {
      for (const each of [attempt, ...open]) each?.abort();
    },
  };
}
