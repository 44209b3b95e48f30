/**
 * The API's log lines: one for every change and every sign-in, with the client, the request and the outcome; and one for a request that is
 * refused. Texts of clients, such as a job's command, can neither end a line nor begin one.
 */

import { type Instant, instant } from '../../clock.ts';
import { formatJobId, parseJobId } from '../../flux/job-id.ts';
import { createRateLimit } from '../../http/rate-limit.ts';
import type { Log, LogLevel } from '../../log.ts';
import type { Principal } from '../auth/authenticate.ts';
import type { Match } from './find-route.ts';
import type { RequestHead } from './request.ts';

export interface Audit {
  /** A request that was refused for its credentials, or because it comes from a page of another site. */
  readonly refused: (head: RequestHead, why: string) => void;
  /** The line of a change; no line is written for routes that change nothing. */
  readonly change: (head: RequestHead, match: Match, principal: Principal | undefined) => AuditLine;
}

/** The line of one change. */
export interface AuditLine {
  /** Adds facts: texts, numbers, and `jobs`, the ids of many. */
  readonly note: (facts: AuditFacts) => void;
  /** Writes it, with the status of the answer and, where that is a problem, why. */
  readonly end: (status: number, why?: string) => void;
}

export interface AuditFacts {
  readonly [name: string]: string | number | boolean | readonly string[] | undefined;
  readonly jobs?: readonly string[];
}

/** Unauthenticated clients must not fill the log: lines of one address at once, and a second. */
const linesWithoutToken = { atOnce: 5, perSecond: 0.2 };
/** Ids in one line. A line of a container's log has at most 16 KiB (containerd splits longer ones). */
const mostJobs = 500;

export function createAudit(log: Log, now: () => Instant = instant): Audit {
  const lines = createRateLimit(linesWithoutToken.perSecond, linesWithoutToken.atOnce, now);
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
        ...principalFacts(principal),
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

const principalFacts = (principal: Principal | undefined): AuditFacts =>
  principal ? { role: principal.role, token: principal.token, user: principal.user } : {};

/** A job id in F58, whichever form the client has sent. */
function jobOf(text: string): string {
  const id = parseJobId(text);
  return id === undefined ? text : formatJobId(id);
}

/** Ids of many jobs, split into lines. */
function inLines(jobs: readonly string[] | undefined): AuditFacts[] {
  if (!jobs || jobs.length === 0) return [{}];
  const starts = Array.from({ length: Math.ceil(jobs.length / mostJobs) }, (_, line) => line * mostJobs);
  return starts.map((start) => ({ jobs: jobs.slice(start, start + mostJobs) }));
}

const mostText = 300;

/** Without undefined values; texts without control characters, and cut to a length. */
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
