/** What a route is: one row from which the requests are read, the answers are written, and OpenAPI is generated. */
import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod/mini';
import type { BlobCache } from '../../flux/services/eventlog/blob-cache.ts';
import type { SubmitAnswer } from '../../jobs/job-schemas.ts';
import type { BrokerTree } from '../../jobs/nodes.ts';
import type { Principal } from '../auth/authenticate.ts';
import type { Credentials, Role, Token } from '../auth/credentials.ts';
import type { Sessions } from '../auth/sessions.ts';
import type { Broker } from '../broker-connections.ts';
import type { EventHub } from '../routes/event-hub.ts';
import type { AuditLine } from './audit.ts';
import type { ConcurrencyLimit } from './concurrency-limit.ts';
import type { Idempotency } from './idempotency.ts';
import type { Source, Streams } from './streams.ts';

/** What routes work with. */
export interface Context {
  readonly broker: Broker;
  /** The Job's name, which a shutdown must repeat. */
  readonly cluster: string;
  readonly version: string;
  /** For jobs that name none of their own. */
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly tree: BrokerTree;
  readonly credentials: () => Credentials;
  readonly sessions: Sessions;
  readonly submissions: Idempotency<SubmitAnswer>;
  readonly streams: Streams;
  /** Searches under way: each makes Flux look at thousands of jobs. */
  readonly searches: ConcurrencyLimit;
  /** What readers of output and event logs share. */
  readonly blobs: BlobCache;
  readonly events: EventHub;
}

export interface Call<Query, Body> {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly headers: IncomingHttpHeaders;
  readonly principal: Principal | undefined;
  /** Compares a token that the client presents. Throws a Problem (429) after too many wrong ones from its address. */
  readonly findToken: (secret: string) => Token | undefined;
  /** Adds to the line that the log has of this change. */
  readonly note: AuditLine['note'];
  /** Whether the connection is TLS. */
  readonly secure: boolean;
  readonly context: Context;
}

type Headers = Readonly<Record<string, string | string[]>>;

/** An answer: a JSON value, something else that is whole, or what a source writes, of any length. */
export type Reply =
  | { readonly status?: number; readonly headers?: Headers; readonly json: unknown }
  | {
      readonly status?: number;
      readonly headers?: Headers;
      readonly type: string;
      readonly body: string | Buffer;
    }
  | (Source & { readonly type: string });

type Schema = z.ZodMiniType;
type OutputOf<S> = S extends Schema ? z.output<S> : undefined;

interface Description<Query extends Schema | undefined, Body extends Schema | undefined> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With `{name}` for a segment that varies. */
  readonly path: `/${string}`;
  /** Who may; `anybody` needs no token. */
  readonly may: Role | 'anybody';
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** What it changes, for the line in the log; each route that is no GET has it. */
  readonly change?: string;
  readonly query?: Query;
  readonly body?: Body;
  /** The body may be left out. */
  readonly bodyOptional?: boolean;
  /** Bytes that the body has at most: see `mostBodyOf` for what holds where it is not given. */
  readonly mostBody?: number;
  /** What comes back: a schema for JSON, else what it is. */
  readonly answer: Schema | { readonly type: string; readonly what: string };
  readonly status?: number;
}

export interface Route extends Description<Schema | undefined, Schema | undefined> {
  readonly handle: (call: Call<never, never>) => Promise<Reply>;
}

/** Checks a row: what its handler is given is what its schemas yield. */
export const route = <
  Query extends Schema | undefined = undefined,
  Body extends Schema | undefined = undefined,
>(
  row: Description<Query, Body> & {
    readonly handle: (call: Call<OutputOf<Query>, OutputOf<Body>>) => Promise<Reply>;
  },
): Route => row as unknown as Route;
