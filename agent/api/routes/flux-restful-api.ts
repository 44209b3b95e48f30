/** Paths and answers of flux-restful-api (https://github.com/flux-framework/flux-restful-api), so that its client works unchanged. */
import { getJobStats } from '../../flux/services/job-list.ts';
import type { SimpleJob } from '../../jobs/job-schemas.ts';
import { listPage } from '../../jobs/list.ts';
import { splitWords } from '../../shell-words.ts';
import { readAuthorization, unauthorized } from '../auth/authenticate.ts';
import { readJwt } from '../auth/jwt.ts';
import { idempotencyHeader } from '../http/idempotency.ts';
import { largeBody } from '../http/request.ts';
import { type Route, route } from '../http/route.ts';
import { HttpProblem } from '../problem.ts';
import { compatibleSubmit, messageAnswer, searchAnswer, searchQuery, tokenAnswer } from './api-schemas.ts';
import { shutDown } from './instance-routes.ts';
import { submitOnce } from './job-routes.ts';
import { readPairs } from './read-pairs.ts';

const tag = 'As flux-restful-api';

export const compatibleRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/token',
    role: 'none',
    tag,
    summary: 'An access token for ten hours',
    description:
      'Authorization is Basic with a token as password, or Bearer with a JWT (HS256) of `user`, `pass` (a token) and `scope` (`token`), ' +
      'signed with the `secret-key` of the mounted Secret, or with the token itself where there is none.',
    change: 'sign in',
    answer: tokenAnswer,
    handle: async ({ headers, context, findToken, note }) => {
      const { secretKey } = context.credentials();
      const given = readAuthorization(headers.authorization ?? '');
      const claims = given && readJwt(given.secret, secretKey, Date.now());
      const token = given && findToken(claims?.pass ?? given.secret);
      if (!token) throw unauthorized('The Authorization header names no token of this API.');
      const user = claims?.user ?? given.user;
      note({ role: token.role, token: token.id, user });
      return {
        json: {
          access_token: context.sessions.begin(token, user),
          token_type: 'Bearer',
        },
      };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/jobs/submit',
    role: 'write',
    tag,
    summary: 'Submit a job in the terms of flux-restful-api, from the query or from a JSON body',
    change: 'submit a job',
    query: compatibleSubmit,
    headers: idempotencyHeader,
    body: compatibleSubmit,
    largestBody: largeBody,
    bodyOptional: true,
    answer: messageAnswer,
    handle: async (call) => {
      const given = { ...call.query, ...call.body };
      const job = readSubmission(given);
      const { answer, isReplay } = await submitOnce(call, job);
      call.note({ job: answer.id, ...(isReplay && { replayed: true }) });
      return { json: { Message: 'Job submit.', id: answer.id } };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/jobs/search',
    role: 'read',
    tag,
    summary: 'Jobs for a data table',
    query: searchQuery,
    answer: searchAnswer,
    handle: async ({ query, context, principal, signal }) => {
      using _search = context.searches.take(principal?.token ?? '');
      const client = await context.broker.client();
      const { start = 0, length = mostRows, draw = 1 } = query;
      const words = [query.search, query.query, query['search[value]']].find((value) => value) as string;
      const rows: Awaited<ReturnType<typeof listPage>>['jobs'] = [];
      const wanted = Math.min(mostRows, start + length);
      for (let cursor: string | undefined; rows.length < wanted; ) {
        const search = words ? { search: words } : {};
        const limit = Math.min(1000, wanted - rows.length);
        const page = await listPage(client, { limit, cursor, ...search }, { signal });
        rows.push(...page.jobs);
        cursor = page.next;
        if (cursor === undefined) break;
      }
      const data = rows.slice(start);
      const { total } = (await getJobStats(client)).job_states;
      return { json: { data, draw, recordsTotal: total, recordsFiltered: data.length } };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/service/stop',
    role: 'write',
    tag,
    summary: 'Shut down the MiniCluster, without a confirmation',
    change: 'shut down the instance',
    answer: messageAnswer,
    handle: async ({ context }) => shutDown(context),
  }),
];

/** Rows of one search at most. */
const mostRows = 10_000;

type Given = Readonly<Record<string, unknown>>;

/** A job in the terms of flux-restful-api. Throws an HttpProblem (400) with its messages. */
export function readSubmission(given: Given): SimpleJob {
  const { command } = given;
  const words = Array.isArray(command) ? command.map(String) : splitWords(String(command ?? ''));
  if (words.length === 0) {
    const Message = "A 'command' is minimally required.";
    throw new HttpProblem('bad-request', Message, { members: { Message } });
  }
  const errors: string[] = [];
  const whole = (name: string, least: number): number | undefined => {
    const value = given[name];
    if (value === undefined || value === null || value === '') return undefined;
    if (/^\d{1,7}$/.test(String(value)) && Number(value) >= least) return Number(value);
    errors.push(`Parameter ${name} must be >= ${least}`);
    return undefined;
  };
  const nodes = whole('num_nodes', 1);
  const tasks = whole('num_tasks', 1);
  const coresPerTask = whole('cores_per_task', 1);
  const gpusPerTask = whole('gpus_per_task', 1);
  const duration = whole('runtime', 0);
  const pairs = (name: string) => {
    const read = readPairs(given[name]);
    if (typeof read !== 'string') return read;
    errors.push(`Parameter ${name} ${read}`);
    return {};
  };
  const options = pairs('option_flags');
  const environment = pairs('envars');
  for (const option of Object.keys(options)) {
    if (option.startsWith('-')) errors.push(`Please provide keys without -o, ${option} is invalid.`);
  }
  if (errors.length > 0) {
    const members = { Message: 'Invalid submit request', Errors: errors };
    throw new HttpProblem('bad-request', errors.join(' '), { members });
  }
  const exclusive = /^(true|1|yes|on)$/i.test(String(given.exclusive ?? ''));
  return {
    command: words,
    ...(nodes !== undefined && { nodes, tasks: Math.max(nodes, tasks ?? 1) }),
    ...(nodes === undefined && tasks !== undefined && { tasks }),
    ...(coresPerTask !== undefined && { coresPerTask }),
    ...(gpusPerTask !== undefined && { gpusPerTask }),
    ...(duration !== undefined && { duration }),
    ...(exclusive && nodes !== undefined && { exclusive }),
    ...(typeof given.workdir === 'string' && given.workdir !== '' && { cwd: given.workdir }),
    ...(Object.keys(environment).length > 0 && { environment }),
    ...(Object.keys(options).length > 0 && { options }),
  };
}
