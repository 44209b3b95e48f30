/** What the log has of requests: one line for every change that a known token asks for, and some of what was refused to others. */
import type { Log } from '../log.ts';
import type { Principal } from './authenticate.ts';
import { createRateLimit } from './rate-limit.ts';
import type { Asked } from './request.ts';
import type { Match } from './router.ts';

export interface Audit {
  /** A request that was refused for what its client says of itself, or for what a page of another site made it ask. */
  readonly refused: (asked: Asked, why: string) => void;
  /** A change that was asked for: who, what, from where, and the status of the answer. */
  readonly change: (asked: Asked, match: Match, principal: Principal | undefined, status: number) => void;
}

/** A guesser must not fill the log: of each address so many lines at once, and so many a second. */
const refusalLines = { atOnce: 5, perSecond: 0.2 };

export function createAudit(log: Log): Audit {
  const lines = createRateLimit(refusalLines.perSecond, refusalLines.atOnce);
  return {
    refused: ({ address, method, path }, why) => {
      if (lines.take(address) > 0) return;
      log('warn', 'API: refused', { from: address, request: `${method} ${path.slice(0, 200)}`, why });
    },
    change: ({ address }, { route, params }, principal, status) => {
      if (route.change === undefined) return;
      const job = params.id?.replace(/[^\w]/g, '').slice(0, 24);
      log(status < 400 ? 'info' : 'warn', `API: ${route.change}`, {
        ...(job !== undefined && { job }),
        role: principal?.role,
        token: principal?.token,
        ...(principal?.user !== undefined && { user: principal.user }),
        from: address,
        request: `${route.method} ${route.path}`,
        status,
      });
    },
  };
}
