/**
 * What the log has of requests: a line for every change and every sign-in that is asked for, with who asked, for what, and what came of
 * it; and a line for what was refused. What clients have written, a job's text among it, can end no line and begin none.
 */

import { type Instant, instant } from '../clock.ts';
import { formatJobId, parseJobId } from '../flux/job-id.ts';
import { createRateLimit } from '../http/rate-limit.ts';
import type { Log, LogLevel } from '../log.ts';
import type { Principal } from './authenticate.ts';
import type { Asked } from './request.ts';
import type { Match } from './router.ts';

export interface Audit {
  /** A request that was refused for what its client says of itself, or for what a page of another site made it ask. */
  readonly refused: (asked: Asked, why: string) => void;
  /** A change that is asked for; nothing is written for routes that change nothing. */
  readonly change: (asked: Asked, match: Match, principal: Principal | undefined) => AuditLine;
}

/** The line of one change. */
export interface AuditLine {
  /** What else belongs into it: texts, numbers, and `jobs`, the ids of many. */
  readonly note: (facts: AuditFacts) => void;
  /** Writes it, with the status of the answer and, where there was none but a problem, why. */
  readonly end: (status: number, why?: string) => void;
}

export interface AuditFacts {
  readonly [name: string]: string | number | boolean | readonly string[] | undefined;
  readonly jobs?: readonly string[];
}

/** Who has no token must not fill the log: of each address so many lines at once, and so many a second. */
const linesOfUnknown = { atOnce: 5, perSecond: 0.2 };
/** Ids in one line. A container's log has 16 KiB for a line (containerd splits longer ones). */
const mostJobs = 500;

export function createAudit(log: Log, now: () => Instant = instant): Audit {
  const lines = createRateLimit(linesOfUnknown.perSecond, linesOfUnknown.atOnce, now);
  let leftOut = 0;
  const limited = (level: LogLevel, address: string, message: string, facts: AuditFacts) => {
    if (lines.take(address) > 0) return void leftOut++;
    log(level, message, { ...facts, ...(leftOut > 0 && { leftOut }) });
    leftOut = 0;
  };
  return {
    refused: ({ address, method, path }, why) =>
      limited(
        'warn',
        address,
        'API: refused',
        printable({ from: address, request: `${method} ${path}`, why }),
      ),
    change: ({ address }, { route, params }, principal) => {
      let facts: AuditFacts = {
        ...(params.id !== undefined && { job: jobOf(params.id) }),
        ...whoIs(principal),
      };
      return {
        note: (more) => {
          facts = { ...facts, ...more };
        },
        end: (status, why) => {
          if (route.change === undefined) return;
          const message = `API: ${route.change}`;
          const request = `${route.method} ${route.path}`;
          const { jobs, ...rest } = facts;
          const whole = printable({ ...rest, from: address, request, status, why });
          const level = status < 400 ? 'info' : 'warn';
          if (facts.token === undefined) return limited(level, address, message, whole);
          for (const some of inLines(jobs)) log(level, message, { ...some, ...whole });
        },
      };
    },
  };
}

const whoIs = (principal: Principal | undefined): AuditFacts =>
  principal ? { role: principal.role, token: principal.token, user: principal.user } : {};

/** The one name of a job that can be named in several ways. */
function jobOf(text: string): string {
  const id = parseJobId(text);
  return id === undefined ? text : formatJobId(id);
}

/** Ids of many jobs, in as many lines as they need. */
function inLines(jobs: readonly string[] | undefined): AuditFacts[] {
  if (!jobs || jobs.length === 0) return [{}];
  const starts = Array.from({ length: Math.ceil(jobs.length / mostJobs) }, (_, line) => line * mostJobs);
  return starts.map((start) => ({ jobs: jobs.slice(start, start + mostJobs) }));
}

const mostText = 300;

/** Without what is undefined; texts without what a terminal or a reader of lines takes for more than a letter, and not too long. */
function printable(facts: AuditFacts): AuditFacts {
  const shown = Object.entries(facts).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    shown.map(([name, value]) => [name, typeof value === 'string' ? printableText(value) : value]),
  );
}

function printableText(text: string): string {
  const cut = text.length > mostText ? `${text.slice(0, mostText)}...` : text;
  return cut.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (sign) => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
