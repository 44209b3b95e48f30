/** A route is one row: the checks of its requests, its handler, and its text in OpenAPI and in the reference. */
import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod/mini';
import type { Principal } from '../auth/authenticate.ts';
import type { Role, Token } from '../auth/credentials.ts';
import type { Context } from '../context.ts';
import type { AuditLine } from './audit.ts';
import type { Source } from './streams.ts';

/** A request as its handler gets it: checked by the row. */
export interface Call<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly headers: IncomingHttpHeaders;
  readonly principal: Principal | undefined;
  /** Compares a token that the client presents. Throws an HttpProblem (429) after too many wrong ones from its address. */
  readonly findToken: (secret: string) => Token | undefined;
  /** Adds facts to the log line of this change. */
  readonly note: AuditLine['note'];
  /** Whether the connection is TLS. */
  readonly secure: boolean;
  /** Aborted when the client has closed the connection. */
  readonly signal: AbortSignal;
  readonly context: Context;
}

type Headers = Readonly<Record<string, string | string[]>>;

/** An answer: a JSON value, another body that is whole, or a source of any length. */
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

/** A segment of the path that varies. */
export interface PathParameter<Value = unknown> {
  readonly description: string;
  /** The value of the segment's text. Throws an HttpProblem or a JobError. */
  readonly read: (text: string) => Value;
}

/** The names in a path template: `id` of `/v1/jobs/{id}/events`. */
type NamesIn<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | NamesIn<Rest>
  : never;
type ParametersOf<Path extends string> = { readonly [Name in NamesIn<Path>]: PathParameter };
type ValuesOf<Parameters> = {
  readonly [Name in keyof Parameters]: Parameters[Name] extends PathParameter<infer Value> ? Value : never;
};

/** An answer that is not JSON of a schema. */
export interface MediaAnswer {
  readonly mediaType: string;
  readonly description: string;
}

interface Row<Path extends string, Query extends Schema | undefined, Body extends Schema | undefined> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With `{name}` for a segment that varies; `params` has each of these names. */
  readonly path: Path;
  /** The role that the client's token must have; `none` needs no token. */
  readonly role: Role | 'none';
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** What it changes, for the log line; each route that is no GET has it. */
  readonly change?: string;
  readonly query?: Query;
  /** Request headers that the handler reads, for the reference. */
  readonly headers?: Schema;
  readonly body?: Body;
  readonly bodyOptional?: boolean;
  /** The largest body in bytes: see `largestBodyOf` for the default. */
  readonly largestBody?: number;
  readonly answer: Schema | MediaAnswer;
  /** 200 unless given. */
  readonly status?: number;
}

export interface Route extends Row<`/${string}`, Schema | undefined, Schema | undefined> {
  readonly params?: Readonly<Record<string, PathParameter>>;
  readonly handle: (call: Call<never, never, never>) => Promise<Reply>;
}

/** Types a row: the handler's params follow from the path template, its query and body from their schemas. */
export const route = <
  const Path extends `/${string}`,
  Parameters extends ParametersOf<Path>,
  Query extends Schema | undefined = undefined,
  Body extends Schema | undefined = undefined,
>(
  row: Row<Path, Query, Body> &
    ([NamesIn<Path>] extends [never] ? { readonly params?: never } : { readonly params: Parameters }) & {
      readonly handle: (call: Call<ValuesOf<Parameters>, OutputOf<Query>, OutputOf<Body>>) => Promise<Reply>;
    },
): Route => row as unknown as Route;
