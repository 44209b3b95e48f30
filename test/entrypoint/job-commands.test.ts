import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { PodError } from '../../agent/errors.ts';
import { Errno, FluxError } from '../../agent/flux/errors.ts';
import { parseVerbArguments } from '../../entrypoint/command-line/arguments.ts';
import type { JobsClient } from '../../entrypoint/jobs/jobs-client.ts';
import { watchJob } from '../../entrypoint/jobs/watch-job.ts';
import { submissionOf, submit } from '../../entrypoint/verbs/jobs/submit.ts';
import { runVerb, type VerbName } from '../../entrypoint/verbs.ts';
import { type FakeFlux, startApi, writeTls, writeToken } from '../support/agent/fake-api.ts';
import { selfSigned } from '../support/agent/self-signed.ts';
import { written } from '../support/project/written.ts';

const directory = mkdtempSync(join(tmpdir(), 'flux-pod-cli-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

const file = (name: string, content: string): string => {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
};
const tokenFile = file('token', `${writeToken}\n`);

async function refusal(act: Promise<unknown>): Promise<PodError> {
  const error = await act.catch((thrown: unknown) => thrown);
  if (error instanceof PodError) return error;
  throw new Error(`not refused: ${error}`);
}

/** What `flux-pod submit ARGS` asks for. */
function submission(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const { flags, command } = parseVerbArguments('submit', args, submit.flags, submit.takes);
  return submissionOf(flags, command, environment);
}

describe('flux-pod submit', () => {
  it.each([
    ['90', 5400],
    ['1.5', 90],
    ['90s', 90],
    ['30m', 1800],
    ['1.5h', 5400],
    ['0', 0],
    ['inf', 0],
  ])('takes -t %s as flux submit does, a bare number for minutes: %i seconds', (limit, duration) => {
    expect(submission(['-t', limit, '--', 'x'])).toMatchObject({ duration });
  });

  it('takes one word with white space for a line for sh, and any other COMMAND as it stands', () => {
    expect(submission(['--', 'a; b'])).toMatchObject({ command: 'a; b' });
    expect(submission(['--', 'sh', '-c', 'a; b'])).toMatchObject({ command: ['sh', '-c', 'a; b'] });
    expect(submission(['--', 'a'])).toMatchObject({ command: ['a'] });
  });

  it('takes --env NAME from its own environment, as flux submit does', () => {
    const args = ['--env', 'A', '--env', 'B=c=d', '--env', 'E=', '--', 'x'];
    expect(submission(args, { A: 'of mine' })).toMatchObject({
      environment: { A: 'of mine', B: 'c=d', E: '' },
    });
  });

  it.each([
    [['-N', '0'], '--nodes: expected a whole number from 1'],
    [['-N', 'two'], '--nodes: expected a whole number from 1'],
    [['-n', '1.5'], '--ntasks: expected a whole number from 1'],
    [['-g', 'x'], '--gpus-per-task: expected a whole number from 0'],
    [['--urgency', '32'], '--urgency: expected a whole number from 0 to 31'],
    [['--urgency', 'high'], '--urgency: expected a whole number from 0 to 31'],
    [['-t', 'soon'], '--time-limit: expected 90 (minutes), 90s, 10m or 1.5h, not "soon"'],
    [['--dependency', 'f1'], '--dependency 0: expected SCHEME:VALUE, such as afterok:f2qx7SvB'],
    [['--env', 'NOWHERE'], '--env: there is no variable NOWHERE here to take along; expected NAME=VALUE'],
    [['--env', '=x'], '--env: expected NAME=VALUE, not "=x"'],
    [['-N', '0', '--urgency', 'x'], 'from 1; --urgency: expected a whole number from 0 to 31'],
  ])('refuses %j and names the flag', (args, sentence) => {
    expect(() => submission([...args, '--', 'x'])).toThrow(
      expect.objectContaining({ exitCode: 64, message: expect.stringContaining(sentence) }),
    );
  });
});

describe('a job command through the API', () => {
  const run = (verb: VerbName, url: string, ...args: string[]) =>
    runVerb(verb, ['--url', url, '--token-file', tokenFile, ...args]);

  it('names the flag that a refused part of a job comes from, once', async () => {
    using api = await startApi();
    const tasks = await refusal(run('submit', api.url, '-N4', '-n2', '--', 'x'));
    expect(tasks.message).toBe('The API responds with 422: --ntasks: there are 4 nodes for 2 tasks');
    const cc = await refusal(run('submit', api.url, '--cc', 'a-5', '--', 'x'));
    expect(cc.message).toBe(
      'The API responds with 422: --cc: Cannot parse idset "a-5": expected an id or a range, not "a-5"',
    );
  });

  it('names the job that does not exist', async () => {
    const unknown = () => {
      throw new FluxError(Errno.noEntry, { text: 'unknown job id' });
    };
    using api = await startApi({ rpc: { 'job-list.list-id': unknown, 'job-manager.raise': unknown } });
    expect((await refusal(run('logs', api.url, 'f2qx7SvB'))).message).toBe(
      'The API responds with 404: There is no job f2qx7SvB.',
    );
    expect((await refusal(run('logs', api.url, 'f0'))).message).toBe(
      'The API responds with 404: There is no job f0: expected an id such as f2qx7SvB.',
    );
    const { code, stderr } = await written(() => run('cancel', api.url, 'f2qx7SvB'));
    expect({ code, stderr }).toEqual({
      code: 64,
      stderr: 'flux-pod: f2qx7SvB: The API responds with 404: There is no job f2qx7SvB.\n',
    });
  });

  it('explains a token that is missing, empty, wrong or not at its place', async () => {
    using api = await startApi();
    const asking = (...args: string[]) => refusal(runVerb('jobs', ['--url', api.url, ...args]));
    vi.stubEnv('FLUX_POD_API_TOKEN_FILE', '');
    const missing = await asking();
    const empty = await asking('--token-file', file('empty', '\n'));
    const two = await asking('--token-file', file('two', `${writeToken}\n${writeToken}\n`));
    const wrong = await asking('--token-file', file('wrong', 'wrong-0123456789abcdef'));
    const nowhere = await asking('--token-file', '/nowhere/token');
    vi.unstubAllEnvs();
    expect(missing.message).toBe(`The API at ${api.url} needs a token, and none is given`);
    expect(empty.message).toBe(`Cannot use the token in ${directory}/empty: the file is empty`);
    expect(two.message).toBe(
      `Cannot use the token in ${directory}/two: expected one token, without white space in it`,
    );
    expect(wrong.message).toBe(`The API at ${api.url} does not take the token in ${directory}/wrong`);
    for (const { hint, message } of [missing, empty, two, wrong, nowhere]) {
      expect(hint).toContain('FLUX_POD_API_TOKEN_FILE');
      expect(message).not.toContain('0123456789abcdef');
    }
  });

  it('explains that one side speaks TLS and the other does not', async () => {
    using plain = await startApi();
    const url = plain.url.replace('http:', 'https:');
    expect((await refusal(run('jobs', url))).message).toBe(
      `No API answers at ${url}: https:// to a port that speaks plain HTTP?`,
    );
    const tls = selfSigned();
    using secret = await startApi({}, { tls });
    writeTls(secret.directory, tls);
    expect((await refusal(run('jobs', secret.url))).message).toMatch(
      /http:\/\/ to a port that speaks TLS\?$/,
    );
    expect(await refusal(run('jobs', secret.url.replace('http:', 'https:')))).toMatchObject({
      message: expect.stringMatching(/: self.signed certificate/i),
      hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
    expect((await refusal(run('jobs', 'mc-0:8052'))).message).toMatch(
      /expected an http:\/\/ or https:\/\/ URL/,
    );
  });
});

/** A job that Flux refuses to run: it has events, and neither a start nor output. */
const unsatisfiable: FakeFlux = {
  rpc: {
    'job-ingest.submit': () => ({ id: 2 }),
    'job-list.list-id': () => ({
      job: {
        id: 2,
        state: 64,
        result: 2,
        exception_occurred: true,
        exception_type: 'alloc',
        exception_severity: 0,
        exception_note: 'unsatisfiable request: need 400 node(s) with 1 cores each, only 4 eligible',
      },
    }),
  },
  stream: {
    'job-info.eventlog-watch': () => [{ event: '{"timestamp":1,"name":"submit","context":{}}\n' }],
  },
};

describe('a job that an exception ends', () => {
  const line =
    'flux-pod: job.exception f3 type=alloc severity=0 unsatisfiable request: need 400 node(s) with 1 cores each, only 4 eligible\n';

  it('is explained by submit --watch, which exits with 1 as flux job attach does', async () => {
    using api = await startApi(unsatisfiable);
    const args = ['--url', api.url, '--token-file', tokenFile, '--watch', '-N400', '--', 'hostname'];
    expect(await written(() => runVerb('submit', args))).toEqual({
      code: 1,
      stdout: '',
      stderr: `f3\n${line}`,
    });
  });

  it('is explained by logs, though it has never run', async () => {
    using api = await startApi(unsatisfiable);
    const args = ['--url', api.url, '--token-file', tokenFile, 'f3'];
    expect(await written(() => runVerb('logs', args))).toEqual({ code: 1, stdout: '', stderr: line });
  });
});

describe('Ctrl-C while a job is watched', () => {
  it('ends the watch with 130, and prints that the job goes on and how to cancel it', async () => {
    const begun = Promise.withResolvers<void>();
    const client = {
      // A job that writes nothing and does not end.
      async *output() {
        begun.resolve();
        await new Promise(() => undefined);
      },
    } as unknown as JobsClient;
    const watched = written(() => watchJob(client, 'f3', { url: 'http://127.0.0.1:8052' }));
    await begun.promise;
    process.emit('SIGINT', 'SIGINT');
    expect(await watched).toEqual({
      code: 130,
      stdout: '',
      stderr:
        '\nflux-pod: f3 goes on: `flux-pod cancel --url http://127.0.0.1:8052 f3` cancels it, `flux-pod logs --url http://127.0.0.1:8052 f3` shows its output\n',
    });
  });
});

describe('flux-pod jobs', () => {
  const job = (more: object) => ({ id: 2, state: 8, name: 'x', ntasks: 1, t_submit: 1, ...more });
  const listed = async (more: object) => {
    const list = ({ constraint }: { constraint: { and: { states?: string[] }[] } }) => ({
      jobs: constraint.and[0]?.states?.includes('sched') ? [job(more)] : [],
    });
    using api = await startApi({ rpc: { 'job-list.list': list as never } });
    const { stdout } = await written(() => runVerb('jobs', ['--url', api.url, '--token-file', tokenFile]));
    return stdout.split('\n')[1] ?? '';
  };

  it.each([
    ['held', { urgency: 0, priority: 0 }],
    ['priority-hold', { urgency: 16, priority: 0 }],
    [
      'insufficient resources',
      { priority: 16, annotations: { sched: { reason_pending: 'insufficient resources' } } },
    ],
    ['eta:now', { priority: 16, annotations: { sched: { t_estimate: 1 } } }],
    ['priority-wait', { state: 4 }],
    ['depends:after-success=f1', { state: 2, dependencies: ['after-success=f1'] }],
    [
      'alloc: unsatisfiable request',
      {
        state: 64,
        result: 2,
        exception_occurred: true,
        exception_type: 'alloc',
        exception_severity: 0,
        exception_note: 'unsatisfiable request',
      },
    ],
    [
      'Canceled: interrupted by ctrl-C',
      {
        state: 64,
        result: 4,
        exception_occurred: true,
        exception_type: 'cancel',
        exception_severity: 0,
        exception_note: 'interrupted by ctrl-C',
      },
    ],
    ['task(s) exited with exit code 127: command not found', { state: 64, result: 2, waitstatus: 127 << 8 }],
    ['task(s) ended by SIGKILL', { state: 64, result: 2, waitstatus: 137 << 8 }],
  ])('says why a job waits or has ended: %s', async (reason, more) => {
    expect(await listed(more)).toMatch(new RegExp(`${reason.replaceAll(/[()]/g, '\\$&')}$`));
  });

  it('prints nothing of a job that has completed', async () => {
    expect(await listed({ state: 64, result: 1, waitstatus: 0 })).toMatch(/COMPLETED +1 +- +- +-$/);
  });

  it('takes every state and result that it prints', async () => {
    const asked: unknown[] = [];
    const list = (payload: object) => {
      asked.push((payload as { constraint: unknown }).constraint);
      return { jobs: [] };
    };
    using api = await startApi({ rpc: { 'job-list.list': list } });
    const filtered = (state: string) =>
      written(() => runVerb('jobs', ['--url', api.url, '--token-file', tokenFile, '--state', state]));
    await filtered('failed');
    expect(asked.splice(0)).toEqual([{ and: [{ results: ['failed'] }] }]);
    await filtered('RUN,TIMEOUT,CANCELED');
    expect(asked.splice(0)).toEqual([
      { and: [{ states: ['run'] }] },
      { and: [{ results: ['canceled', 'timeout'] }] },
    ]);
    await filtered('INACTIVE');
    expect(asked.splice(0)).toEqual([{ and: [{ states: ['inactive'] }] }]);
  });

  it('refuses any other, with the one that was meant', async () => {
    const error = await refusal(runVerb('jobs', ['--url', 'http://127.0.0.1:1', '--state', 'FALIED']));
    expect(error.message).toMatch(/--state: expected some of DEPEND, .*, not FALIED; did you mean FAILED\?$/);
  });
});
