/** What the handlers of routes work with. */
import type { BlobCache } from '../flux/services/eventlog/blob-cache.ts';
import type { SubmitAnswer } from '../jobs/job-schemas.ts';
import type { BrokerTree } from '../jobs/nodes.ts';
import type { Credentials } from './auth/credentials.ts';
import type { Sessions } from './auth/sessions.ts';
import type { BrokerConnections } from './broker-connections.ts';
import type { EventHub } from './event-hub.ts';
import type { ConcurrencyLimit } from './http/concurrency-limit.ts';
import type { Idempotency } from './http/idempotency.ts';
import type { Streams } from './http/streams.ts';

export interface Context {
  readonly broker: BrokerConnections;
  /** The Job's name, which a shutdown must repeat. */
  readonly cluster: string;
  readonly version: string;
  /** Defaults of a job. */
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly tree: BrokerTree;
  readonly credentials: () => Credentials;
  readonly sessions: Sessions;
  readonly submissions: Idempotency<SubmitAnswer>;
  readonly streams: Streams;
  /** Searches under way: each makes Flux read thousands of jobs. */
  readonly searches: ConcurrencyLimit;
  /** Shared by the readers of output and event logs. */
  readonly blobs: BlobCache;
  readonly events: EventHub;
}
