/** The leader's end of controller links: reports of the instance to the controllers of its MiniCluster. Other ranks have no such path. */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Extension } from '../health/http-server.ts';
import { type AcceptedLink, acceptLink } from '../link/accept-link.ts';
import { createMessages } from '../link/accept-message.ts';
import { messageHeader } from '../link/protocol.ts';
import { createThrottle } from '../throttle.ts';
import { readKeep } from './keep.ts';
import { controllerLinkPath, type InstanceFacts, type Report } from './report.ts';

export interface ControllerLinksOptions {
  /** Of the MiniCluster's controller links. */
  readonly key: Buffer;
  /** Hosts that the configuration names. */
  readonly size: number;
  /** Watches the instance until the signal aborts. Called for the first link, and again after the last has been closed. */
  readonly watch: (onChange: (facts: Partial<InstanceFacts>) => void, signal: AbortSignal) => void;
  /** Called with each request of a controller for a size; undefined where the instance has one size. */
  readonly keep?: ((size: number) => void) | undefined;
  readonly times?: typeof usualTimes;
}

/** Milliseconds. A report follows the one before after `betweenMs`; the first waits for the job states for so long. */
const usualTimes = { betweenMs: 1000, firstMs: 250 };

/** Two replicas of a controller have one each; during an update there may be two more. */
const mostLinks = 4;

/**
 * One link a controller, which names itself: a newer one of the same name replaces the older, and one too many the oldest. While there is no
 * link nothing is watched.
 */
export function createControllerLinks(options: ControllerLinksOptions): Extension {
  const { key, size, watch, keep, times = usualTimes } = options;
  /** The oldest first. */
  const links = new Map<string, AcceptedLink>();
  const incarnation = randomUUID();
  let watching: { readonly end: () => void; readonly last: () => Report | undefined } | undefined;

  const begin = () => {
    const life = new AbortController();
    let facts: Partial<InstanceFacts> = {};
    let last: Report | undefined;
    let waits = true;
    const throttle = createThrottle(times.betweenMs, () => {
      const { brokersOnline, jobs, demand, freed } = facts;
      if (brokersOnline === undefined) return;
      const report: Report = {
        kind: 'report',
        brokersOnline,
        size,
        ...(jobs && { jobs }),
        ...(demand && { demand }),
        ...(freed !== undefined && { freed }),
      };
      if (isDeepStrictEqual(report, last)) return;
      last = report;
      for (const link of links.values()) link.send(report);
    });
    const changed = (more: Partial<InstanceFacts>) => {
      facts = { ...facts, ...more };
      if (!waits || (facts.brokersOnline !== undefined && facts.jobs)) throttle.request();
    };
    const first = setTimeout(() => {
      waits = false;
      changed({});
    }, times.firstMs);
    watch(changed, life.signal);
    return {
      last: () => last,
      end: () => {
        clearTimeout(first);
        throttle.stop();
        life.abort();
      },
    };
  };

  const close = (holder: string) => {
    links.get(holder)?.close();
    links.delete(holder);
  };

  const acceptMessage = createMessages({
    linkOf: (holder) => links.get(holder),
    onMessage: (message) => {
      const asked = readKeep(message);
      if (!asked || !keep) return false;
      keep(asked.size);
      return true;
    },
  });

  return (request, response, hold) => {
    if (request.url !== controllerLinkPath) return false;
    if (messageHeader in request.headers) {
      acceptMessage(request, response);
      return true;
    }
    acceptLink(request, response, hold, {
      rank: 0,
      key,
      incarnation,
      admits: () => true,
      onOpen: (holder, link) => {
        close(holder);
        links.set(holder, link);
        const [oldest = holder] = links.keys();
        if (links.size > mostLinks) close(oldest);
        const known = watching?.last();
        if (known) link.send(known);
        watching ??= begin();
      },
      onClose: (holder, link) => {
        if (links.get(holder) === link) links.delete(holder);
        if (links.size > 0) return;
        watching?.end();
        watching = undefined;
      },
    });
    return true;
  };
}
