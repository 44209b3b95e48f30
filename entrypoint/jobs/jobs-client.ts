/** Jobs for commands: through the broker's local socket inside a pod, through the REST API from anywhere else. */
import { existsSync, readFileSync } from 'node:fs';
import { apiTokenVariable, apiUrlVariable } from '../../agent/config/layers.ts';
import { ExitCode, errnoOf, PodError } from '../../agent/errors.ts';
import { createBlobCache } from '../../agent/flux/services/eventlog/blob-cache.ts';
import { cancelJob } from '../../agent/flux/services/job-manager.ts';
import { submitCopies } from '../../agent/jobs/copies.ts';
import { jobEnvironment } from '../../agent/jobs/job-environment.ts';
import type { JobAnswer, SimpleJob, SubmitAnswer } from '../../agent/jobs/job-schemas.ts';
import { findJob, idOf, type JobsRequest, listPage, ofJob } from '../../agent/jobs/list.ts';
import { followOutput, type Piece } from '../../agent/jobs/output.ts';
import { type Submission, submit } from '../../agent/jobs/submit-job.ts';
import type { Flag, Flags } from '../command-line/arguments.ts';
import { directoryFlags, findRunDirectory } from '../running-pod/ask-agent.ts';
import { connectBroker } from '../running-pod/connect-broker.ts';
import { actingIdentity, type FoundDirectory, type Identity } from '../running-pod/find-run-directory.ts';
import { instanceEnvironment } from '../running-pod/instance-environment.ts';
import {
  apiRefusal,
  connectionError,
  type Refusal,
  readToken,
  refused,
  tokenHint,
  usage,
} from './api-errors.ts';

export interface JobsClient extends Disposable {
  readonly submit: (submission: Submission) => Promise<SubmitAnswer>;
  /** One job for each number of an idset; resolves to their ids. */
  readonly submitCopies: (cc: string, job: SimpleJob) => Promise<readonly string[]>;
  readonly page: (request: JobsRequest) => Promise<{ jobs: JobAnswer[]; next?: string }>;
  readonly job: (id: string) => Promise<JobAnswer>;
  /** Until the job has ended. */
  readonly output: (id: string) => AsyncIterable<Piece>;
  readonly cancel: (id: string) => Promise<void>;
}

/** The flags that choose another way than the usual one. */
export const clientFlags = {
  url: { type: 'string', value: 'URL', meaning: `the API's address (${apiUrlVariable})` },
  'token-file': {
    type: 'string',
    value: 'FILE',
    meaning: `the file with the API's token (${apiTokenVariable})`,
  },
  ...directoryFlags,
} as const satisfies Record<string, Flag>;

/** Opens the way to the jobs: `--url` or FLUX_POD_API_URL, else the broker of this pod. Throws a PodError. */
export async function openJobs(flags: Flags, environment: NodeJS.ProcessEnv): Promise<JobsClient> {
  const url = textOf(flags.url) ?? (environment[apiUrlVariable] || undefined);
  if (url !== undefined) return remoteJobs(url, textOf(flags['token-file']) ?? environment[apiTokenVariable]);
  const directory = await findRunDirectory(flags, environment);
  if (!existsSync(directory.socket))
    throw new PodError(
      ExitCode.peersUnavailable,
      'There is no broker in this container, and no API is named',
      {
        hint: `Set ${apiUrlVariable} (such as http://mc-0.flux-service:8052) and ${apiTokenVariable}, or run this in a pod.`,
      },
    );
  return localJobs(directory, await instanceEnvironment(directory, environment));
}

const textOf = (flag: Flags[string]): string | undefined => (typeof flag === 'string' ? flag : undefined);

async function localJobs(directory: FoundDirectory, environment: NodeJS.ProcessEnv): Promise<JobsClient> {
  become(actingIdentity(directory));
  const client = await connectBroker(directory).catch(refused);
  const defaults = { environment: jobEnvironment(environment), directory: process.cwd() };
  return {
    submit: (submission) => submit(client, submission, defaults).catch(refused),
    submitCopies: (cc, job) => submitCopies(client, cc, job, defaults).catch(refused),
    page: (request) => listPage(client, request).catch(refused),
    job: (id) => findJob(client, id).catch(refused),
    output: async function* (id) {
      for await (const pieces of followOutput(client, createBlobCache(), idOf(id)))
        for (const { piece } of pieces) yield piece;
    },
    cancel: async (id) => {
      try {
        await ofJob(idOf(id), cancelJob(client, idOf(id)));
      } catch (error) {
        refused(error);
      }
    },
    [Symbol.dispose]: client.close,
  };
}

function become(identity: Identity | undefined): void {
  if (!identity) return;
  process.setgroups?.([identity.gid]);
  process.setgid?.(identity.gid);
  process.setuid?.(identity.uid);
}

function remoteJobs(base: string, tokenFile: string | undefined): JobsClient {
  if (!/^https?:/.test(base) || !URL.canParse('/v1', base))
    throw usage(`Cannot use the API at ${base}: expected an http:// or https:// URL`);
  const file = tokenFile || undefined;
  const token = file === undefined ? undefined : readTokenFile(file);
  // The environment may set it for another program. A token is for the API alone: NODE_EXTRA_CA_CERTS names a certificate to trust.
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  const ask = async (method: string, path: string, body?: unknown, accept = 'application/json') => {
    const response = await fetch(new URL(path, base), {
      method,
      headers: {
        accept,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw connectionError(base, error);
    });
    if (response.ok) return response;
    const { detail = response.statusText, errors } = await readRefusal(response);
    throw apiRefusal(response.status, { detail, errors }, { url: base, file });
  };
  const path = (id: string) => `/v1/jobs/${encodeURIComponent(id)}`;
  return {
    submit: async (submission) => (await ask('POST', '/v1/jobs', submission)).json() as Promise<SubmitAnswer>,
    submitCopies: async (cc, job) =>
      ((await (await ask('POST', '/v1/jobs/cc', { cc, job })).json()) as { ids: string[] }).ids,
    page: async (request) => {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries(request))
        if (value !== undefined) query.set(name, String(value));
      return (await ask('GET', `/v1/jobs?${query}`)).json() as ReturnType<JobsClient['page']>;
    },
    job: async (id) => (await ask('GET', path(id))).json() as Promise<JobAnswer>,
    output: async function* (id) {
      const { body } = await ask('GET', `${path(id)}/output/stream`, undefined, 'text/event-stream');
      if (body) yield* readPieces(body);
    },
    cancel: async (id) => void (await ask('POST', `${path(id)}/cancel`, {})),
    [Symbol.dispose]: () => undefined,
  };
}

function readTokenFile(file: string): string {
  try {
    return readToken(readFileSync(file, 'utf8'), file);
  } catch (error) {
    if (error instanceof PodError) throw error;
    throw new PodError(
      ExitCode.usage,
      `Cannot read the token in ${file}: ${errnoOf(error) ?? 'an unknown error'}`,
      {
        hint: tokenHint,
      },
    );
  }
}

/** RFC 9457; a proxy may answer anything. */
const readRefusal = (response: Response): Promise<Partial<Refusal>> =>
  response.json().catch(() => ({})) as Promise<Partial<Refusal>>;

/** The pieces in a stream of server-sent events, until its event `end`. */
async function* readPieces(body: ReadableStream<Uint8Array>): AsyncGenerator<Piece, void> {
  let rest = '';
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + text).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      if (/^event: end$/m.test(event)) return;
      const [, data] = /^data: (.*)$/m.exec(event) ?? [];
      if (/^event: output$/m.test(event) && data !== undefined) yield JSON.parse(data) as Piece;
    }
  }
  throw new PodError(ExitCode.peersUnavailable, 'The stream has ended before the job has');
}
