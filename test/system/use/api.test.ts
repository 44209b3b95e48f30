import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobAnswer } from '../../../agent/jobs/job-schemas.ts';
import { fluxPod, probe, statusOf, until } from '../../support/bed/ask-pod.ts';
import { type Bed, bedUnavailable, createBed } from '../../support/bed/bed.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { chromiumPath } from '../../support/project/chromium.ts';
import { exitCodes, installFluxPod, logsOf, miniCluster, realFlux } from '../../support/project/flux-pod.ts';

const flux = realFlux();
const unavailable =
  bedUnavailable() ?? (flux ? undefined : 'There is no real Flux on PATH or in /opt/flux/bin');
if (unavailable) console.warn(`SKIPPED: the API of whole pods. ${unavailable}`);
const browserPath = chromiumPath();
if (!browserPath) console.warn('SKIPPED: the web page in a browser. Install the package chromium.');

const token = 'write-0123456789abcdef';
const tokens = '/etc/flux-pod/api';
const pictures = join(tmpdir(), 'flux-pod-pictures');

/** What starts each of four pods with nothing to run: they stay up until they are brought down. */
function starter(bed: Bed, cluster: string, env: Record<string, string> = {}): (index: number) => Pod {
  if (!flux) throw new Error('there is no Flux');
  return miniCluster(bed, {
    size: 4,
    flux,
    cluster,
    command: [],
    env: {
      FLUX_POD_MODE: 'interactive',
      FLUX_POD_TOPO: 'kary:2',
      FLUX_POD_RESOURCES: 'cores=2',
      FLUX_POD_API: 'on',
      FLUX_POD_API_TOKENS: tokens,
      ...env,
    },
    pod: () => ({ mounts: { [`${tokens}/write`]: { content: `${token}\n`, mode: 0o400 } } }),
  });
}

const ready = (pod: Pod) =>
  until(
    () => probe(pod, 'readyz').catch(() => ({ ok: false, why: 'it does not answer' })),
    ({ ok }) => ok,
  );

const urlOf = ({ address }: Pod): string => `http://${address}:8052`;

/** What this file looks at in answers. */
interface Said {
  readonly id: string;
  readonly detail: string;
  readonly Output: string[];
  readonly complete: boolean;
  readonly events: { readonly name: string }[];
  readonly details: { readonly rank: number }[];
  readonly online: number;
}

async function ask(pod: Pod, method: string, path: string, body?: unknown) {
  const response = await fetch(`${urlOf(pod)}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: (await response.json()) as Said };
}

/** Has the page keep all that it opens in `eventSources`. */
const keepEventSources = `
  globalThis.eventSources = [];
  globalThis.EventSource = class extends EventSource {
    constructor(...args) {
      super(...args);
      eventSources.push(this);
    }
  };
`;

const ended = (pod: Pod, id: string) =>
  until(
    async () => (await ask(pod, 'GET', `/v1/jobs/${id}`)).json as unknown as JobAnswer,
    ({ state }) => state === 'INACTIVE',
  );

let bed: Bed;
let pods: Pod[] = [];
let [leader, follower] = pods as [Pod, Pod];
beforeAll(async () => {
  if (unavailable) return;
  bed = await createBed();
  pods = [0, 1, 2, 3].map(starter(bed, 'mc'));
  [leader, follower] = pods as [Pod, Pod];
  await ready(leader);
});
afterAll(() => bed?.close());

describe.skipIf(unavailable)('the API of four pods', () => {
  it('is served by the leader only', async () => {
    // The resource module may hear of a broker after the program has begun.
    const { answer } = await until(
      () => ask(leader, 'GET', '/v1/health'),
      ({ json }) => json.online === 4,
    );
    expect(answer.json).toMatchObject({ cluster: 'mc', state: 'run' });
    await expect(fetch(urlOf(follower))).rejects.toThrow();
  });

  it('runs a job over four nodes, and has its output and its events', async () => {
    const job = {
      command: 'echo "task $FLUX_TASK_RANK on $(hostname)"',
      nodes: 4,
      name: 'four',
      environment: { A: 'b' },
    };
    const { status, json } = await ask(leader, 'POST', '/v1/jobs', job);
    expect(status).toBe(201);
    const { answer } = await ended(leader, json.id);
    expect(answer).toMatchObject({ name: 'four', result: 'COMPLETED', nodelist: 'mc-[0-3]', returncode: 0 });
    const { Output, complete } = (await ask(leader, 'GET', `/v1/jobs/${json.id}/output`)).json;
    expect(Output.sort()).toEqual([0, 1, 2, 3].map((rank) => `task ${rank} on mc-${rank}\n`));
    expect(complete).toBe(true);
    // The list of jobs may know the end before the eventlog is written.
    await until(
      async () => (await ask(leader, 'GET', `/v1/jobs/${json.id}/events`)).json.events,
      (events) => events.at(-1)?.name === 'clean',
    );
  });

  it('says in Flux’s own words what is wrong with a job', async () => {
    const bad = { command: 'true', dependencies: ['afterok:f1'] };
    const { status, json } = await ask(leader, 'POST', '/v1/jobs', bad);
    expect(status).toBe(422);
    expect(json.detail).toMatch(/job not found/);
    const jobspec = { version: 1, resources: [], tasks: [] };
    expect((await ask(leader, 'POST', '/v1/jobs', { jobspec })).status).toBe(422);
  });

  it('signals, holds and cancels jobs, and says when it is too late', async () => {
    const submit = async (more: object) =>
      (await ask(leader, 'POST', '/v1/jobs', { command: 'echo up; exec sleep 100', ...more })).json.id;
    const [signalled, held] = [await submit({}), await submit({ urgency: 0 })];
    // A job's state is its shell's: a signal before the task has started is lost.
    await until(
      () => ask(leader, 'GET', `/v1/jobs/${signalled}/output`),
      ({ json }) => json.Output?.includes('up\n'),
    );
    expect((await ask(leader, 'POST', `/v1/jobs/${signalled}/signal`, { signal: 'SIGTERM' })).status).toBe(
      200,
    );
    expect((await ended(leader, signalled)).answer).toMatchObject({ result: 'FAILED', returncode: 143 });
    expect((await ask(leader, 'PUT', `/v1/jobs/${held}/urgency`, { urgency: 1 })).status).toBe(200);
    expect((await ask(leader, 'POST', `/v1/jobs/${held}/cancel`, {})).status).toBe(200);
    await ended(leader, held);
    expect((await ask(leader, 'POST', `/v1/jobs/${held}/cancel`, {})).status).toBe(409);
    expect((await ask(leader, 'POST', '/v1/jobs/f1/cancel', {})).status).toBe(404);
  });

  it('drains a node and gives it back, and knows the tree', async () => {
    const node = async (rank: number) =>
      (await ask(leader, 'GET', '/v1/nodes')).json.details.find(
        (each: { rank: number }) => each.rank === rank,
      );
    expect(await node(3)).toMatchObject({
      host: 'mc-3',
      state: 'online',
      parent: 1,
      subtree: 'full',
      cores: 2,
    });
    expect((await ask(leader, 'POST', '/v1/nodes/drain', { targets: '3', reason: 'odd' })).status).toBe(200);
    expect(await node(3)).toMatchObject({ state: 'drained', reason: 'odd' });
    expect((await ask(leader, 'POST', '/v1/nodes/undrain', { targets: 'mc-3' })).status).toBe(200);
    expect(await node(3)).toMatchObject({ state: 'online' });
    expect((await ask(leader, 'POST', '/v1/nodes/drain', { targets: '99' })).status).toBe(422);
  });

  it('is what the verbs use from outside, and the socket from inside, on any pod', async () => {
    const inside = await fluxPod(follower, 'submit', '--watch', '-N4', '--', 'sh', '-c', 'echo x; exit 3');
    expect(inside).toMatchObject({ code: 3, stdout: 'x\n'.repeat(4) });
    const { stdout: id } = await fluxPod(follower, 'submit', '--', 'sleep', '100');
    await until(
      () => fluxPod(leader, 'jobs'),
      ({ stdout }) => stdout.includes(id.trim()),
    );
    expect((await fluxPod(leader, 'cancel', id.trim())).code).toBe(0);
    await ended(leader, id.trim());
    const remote = await follower.exec([
      'sh',
      '-c',
      `echo ${token} >/tmp/token; FLUX_POD_API_TOKEN_FILE=/tmp/token FLUX_POD_API_URL=${urlOf(leader)} \
       ${installFluxPod()}/flux-pod submit -w -- sh -c 'echo far; exit 5'`,
    ]);
    expect(remote).toMatchObject({ code: 5, stdout: 'far\n' });
  });

  it('says by the command line why a job failed that could not run, and exits as flux job attach does', async () => {
    const line = /^flux-pod: job\.exception f\w+ type=alloc severity=0 unsatisfiable request: .*400/m;
    const watched = await fluxPod(follower, 'submit', '--watch', '-N400', '--', 'hostname');
    expect(watched).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(line) });
    const id = watched.stderr.split('\n')[0] ?? '';
    const attached = await fluxPod(follower, 'shell', '--', 'flux', 'job', 'attach', id);
    expect(attached).toMatchObject({ code: 1, stderr: expect.stringContaining('job.exception') });
    expect(await fluxPod(follower, 'logs', id)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(line),
    });
    const { stdout } = await fluxPod(follower, 'jobs', '--state', 'FAILED', '--search', id);
    expect(stdout).toMatch(/ FAILED .* alloc: unsatisfiable request/);
    const late = await fluxPod(follower, 'submit', '--watch', '-t', '0.5s', '--', 'sleep', '100');
    // SIGALRM, or SIGKILL where the shell had started no task yet.
    const alike = await fluxPod(
      follower,
      'shell',
      '--',
      'flux',
      'job',
      'attach',
      late.stderr.split('\n')[0] ?? '',
    );
    expect([142, 137]).toContain(late.code);
    expect(late).toMatchObject({
      code: alike.code,
      stderr: expect.stringMatching(/type=timeout severity=0/),
    });
    const missing = await fluxPod(follower, 'logs', 'f2qx7SvB');
    expect(missing).toMatchObject({ code: 64, stderr: expect.stringContaining('There is no job f2qx7SvB') });
    const held = await fluxPod(follower, 'submit', '--urgency', '0', '--', 'true');
    await until(
      () => fluxPod(follower, 'jobs'),
      ({ stdout }) => new RegExp(`${held.stdout.trim()} .* held$`, 'm').test(stdout),
    );
    expect((await fluxPod(follower, 'cancel', held.stdout.trim())).code).toBe(0);
  });

  it('names the ranks that exist where others are to be drained', async () => {
    const { status, json } = await ask(leader, 'POST', '/v1/nodes/drain', { targets: '99' });
    expect({ status, detail: json.detail }).toEqual({
      status: 422,
      detail: 'targets: idset is out of range; there are the ranks 0-3, hosts mc-[0-3]',
    });
  });

  it('refuses every client while its Secret cannot be used, and says so where the kubelet and people look', async () => {
    const mount = (text: string) => leader.exec(['sh', '-c', `echo '${text}' >${tokens}/write`]);
    const lets = (expected: number) =>
      until(
        () => ask(leader, 'GET', '/v1/session'),
        ({ status }) => status === expected,
      );
    await mount('short');
    await lets(503);
    const why =
      /^the API refuses every client: FLUX_POD_API_TOKENS: a token in .*write is shorter than 16 characters/;
    expect(await probe(leader, 'readyz')).toMatchObject({ ok: false, why: expect.stringMatching(why) });
    const last = async () => (await statusOf(leader)).remarks.at(-1)?.what;
    expect(await last()).toMatch(/^The API refuses every client: FLUX_POD_API_TOKENS/);
    await mount(token);
    await lets(200);
    expect(await last()).toMatch(/^The API reads its tokens again/);
    await ready(leader);
  });

  it('writes one line for every change into the log, with the job', () => {
    expect(leader.stderr).toMatch(
      /"role":"write","token":"\w{8}","job":"f\w+".*"status":201,"msg":"API: submit a job"/,
    );
    expect(leader.stderr).not.toContain(token);
  });
});

describe.skipIf(unavailable)('the API without a token', () => {
  it('does not start on an address that others reach: exit 78', async () => {
    const leader = starter(bed, 'open', { FLUX_POD_API_TOKENS: '/nowhere' })(0);
    expect((await leader.exited).code, leader.stderr).toBe(78);
    expect(leader.terminationLog()).toMatch(/there is no token in \/nowhere/);
  });
});

/** Of the same pods, which it brings down in the end. */
describe.skipIf(unavailable ?? !browserPath)('the web page in Chromium', () => {
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];
  beforeAll(async () => {
    mkdirSync(pictures, { recursive: true });
    browser = await chromium.launch({ executablePath: browserPath ?? '', args: ['--no-sandbox'] });
    page = await browser.newPage({ viewport: { width: 1200, height: 800 } });
    page.setDefaultTimeout(60_000);
    await page.addInitScript(keepEventSources);
    page.on('pageerror', ({ message }) => complaints.push(message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of (401|422)/.test(message.text()))
        complaints.push(message.text());
    });
    page.on('dialog', (dialog) => {
      complaints.push(`a script of a job has run: ${dialog.message()}`);
      void dialog.dismiss();
    });
  });
  afterAll(() => browser?.close());
  const picture = (name: string) => page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
  /** The id or the name of the element that has the focus, else its text. */
  const focused = () =>
    page.evaluate<string>('(({ activeElement: it }) => it.id || it.name || it.textContent)(document)');
  const submit = async (command: string, fields: Record<string, string>) => {
    await page.getByRole('link', { name: 'Submit', exact: true }).click();
    await page.getByLabel('Command').fill(command);
    for (const [label, value] of Object.entries(fields))
      await page.getByLabel(label, { exact: true }).fill(value);
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByRole('heading', { level: 2 }).filter({ hasNotText: 'Submit' }).waitFor();
  };

  it('refuses a wrong token, and takes the right one', async () => {
    await page.goto(urlOf(leader));
    await page.getByText('kubectl get secret').waitFor();
    expect(await focused()).toBe('token');
    await picture('sign-in');
    await page.getByLabel('Token').fill('wrong-0123456789abcdef');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('This is no token of this API.').waitFor();
    await page.getByLabel('Token').fill(token);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Jobs' }).waitFor();
    await page.getByText('live', { exact: true }).waitFor();
    expect(await focused()).toBe('jobs-title');
    expect(await page.evaluate('document.cookie')).toBe('');
  });

  it('submits a job over four nodes and shows its output as it arrives; scripts in it stay text', async () => {
    const name = '<img src=x onerror=alert(1)>';
    const gate = 'while [ ! -e /tmp/go ]; do sleep 0.1; done';
    await submit(`echo "begins on $(hostname)"; ${gate}; echo "<script>alert(2)</script>"`, {
      Nodes: '4',
      Name: name,
    });
    const output = page.getByRole('log');
    await output.getByText('begins on mc-3').waitFor();
    expect(await output.textContent()).not.toContain('script');
    for (const pod of pods) await pod.exec(['touch', '/tmp/go']);
    await page.getByText('complete', { exact: true }).waitFor();
    expect((await output.textContent())?.match(/<script>alert\(2\)<\/script>/g)).toHaveLength(4);
    await page.getByRole('heading', { name }).waitFor();
    await page.getByText('completed').waitFor();
    await picture('job');
  });

  it('shows what a job runs and how long it has run, second by second', async () => {
    await submit('sleep 1000 && true', {});
    await page.getByRole('heading', { level: 2, name: /^sleep f/ }).waitFor();
    expect(await focused()).toBe('job-title');
    await page.getByText('sleep 1000 && true', { exact: true }).waitFor();
    const seconds = async (least: number) => {
      const text = page.getByRole('definition').filter({ hasText: /^\d+ s$/ });
      const read = async () => Number.parseInt((await text.textContent()) ?? '', 10);
      return (await until(read, (now) => now >= least)).answer;
    };
    const first = await seconds(1);
    expect(await seconds(first + 2)).toBeLessThan(60);
    await page.getByRole('link', { name: 'Jobs', exact: true }).click();
    const cell = page.getByRole('row', { name: /sleep run/ }).getByRole('cell', { name: /^\d+ s$/ });
    const before = await cell.textContent();
    await until(
      () => cell.textContent(),
      (now) => now !== before,
    );
  });

  it('submits a job again, with what is wrong at the field that it is about', async () => {
    await page
      .getByRole('row', { name: /sleep run/ })
      .getByRole('link')
      .click();
    await page.getByRole('link', { name: 'Submit again' }).click();
    const command = page.getByLabel('Command');
    await until(
      () => command.inputValue(),
      (line) => line === 'sleep 1000 && true',
    );
    await page.getByLabel('Time limit').fill('soon');
    await page.getByLabel('Environment').fill('FOO');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('expected NAME=VALUE, not "FOO"').waitFor();
    expect(await focused()).toBe('environment');
    await page.getByLabel('Environment').fill('FOO=bar');
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByText('expected seconds, or a time such as 90s, 10m or 1.5h').waitFor();
    expect(await focused()).toBe('duration');
    await picture('faults');
    await page.getByLabel('Time limit').fill('10m');
    await page.getByLabel('Urgency').fill('0');
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByRole('heading', { level: 2, name: /^sleep f/ }).waitFor();
    await page.getByRole('button', { name: 'Cancel', exact: true }).press('Enter');
    await page.keyboard.press('Escape');
    await until(focused, (name) => name === 'Cancel');
    await page.getByRole('button', { name: 'Cancel', exact: true }).press('Enter');
    await page.getByRole('button', { name: 'Cancel the job' }).press('Enter');
    await page.getByText('canceled', { exact: true }).waitFor();
    // The button that had the focus is gone.
    await until(focused, (name) => name === 'job-title');
    await page.getByRole('link', { name: 'Jobs', exact: true }).click();
    await page
      .getByRole('row', { name: /sleep run/ })
      .getByRole('button')
      .click();
    await page.getByRole('button', { name: 'Cancel the job' }).click();
    await page.getByRole('row', { name: /sleep run/ }).waitFor({ state: 'detached' });
  });

  it('cancels another after asking', async () => {
    await submit('sleep 1000', { Name: 'long' });
    await page.getByText('run', { exact: true }).waitFor();
    await page.getByRole('link', { name: 'Jobs', exact: true }).click();
    await page.getByRole('row', { name: /long/ }).getByRole('button').click();
    await picture('cancel');
    await page.getByRole('button', { name: 'Cancel the job' }).click();
    await page.getByRole('row', { name: /long canceled/ }).waitFor();
    await page.getByLabel('Search jobs').fill('long');
    await page.getByRole('row', { name: /onerror/ }).waitFor({ state: 'detached' });
    await picture('jobs');
  });

  it('drains a node by the keyboard', async () => {
    await page.getByRole('link', { name: 'Nodes' }).click();
    const square = page.getByRole('button', { name: /^mc-2, rank 2/ });
    await square.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Drain' }).press('Enter');
    const reason = page.getByLabel('Reason');
    await reason.waitFor();
    // Without a reason nothing happens.
    await page.keyboard.press('Enter');
    await page.keyboard.type('to be looked into');
    await page.keyboard.press('Enter');
    await page.getByText(/Drained since .*to be looked into/).waitFor();
    await page.getByRole('button', { name: /^mc-2, rank 2: drained/ }).waitFor();
    await until(focused, (name) => name === 'Undrain');
    await picture('nodes');
  });

  it('is dark where that is wished for, and fits a phone', async () => {
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 375, height: 800 });
    for (const view of ['Jobs', 'Submit', 'Nodes', 'Load']) {
      await page.getByRole('link', { name: view, exact: true }).click();
      await page.getByRole('heading', { level: 2 }).waitFor();
      const wide = await page.evaluate('document.documentElement.scrollWidth');
      expect(wide, view).toBeLessThanOrEqual(375);
      const cut = await page.evaluate(
        `Math.max(0, ...[...document.querySelectorAll('.scroll')].map((box) => box.scrollWidth - box.clientWidth))`,
      );
      expect(cut, view).toBe(0);
      await picture(`phone-${view.toLowerCase()}`);
    }
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 1200, height: 800 });
  });

  it('brings the cluster down after its name was typed, all pods end with 0, and it says so and asks no more', async () => {
    await page.getByRole('button', { name: 'Bring down' }).click();
    const button = page.getByRole('button', { name: 'Bring it down' });
    expect(await button.isDisabled()).toBe(true);
    await page.getByLabel(/Type mc/).fill('mc');
    await picture('down');
    await button.click();
    expect(await exitCodes(pods), logsOf(pods)).toEqual([0, 0, 0, 0]);
    await page.getByRole('heading', { name: 'The MiniCluster has ended' }).waitFor();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await picture('ended');
    // A browser opens an event stream again by itself unless it was closed (HTML, server-sent events: readyState 2).
    expect(await page.evaluate('eventSources.map(({ readyState }) => readyState)')).toContain(2);
    expect(await page.evaluate('eventSources.filter(({ readyState }) => readyState !== 2)')).toEqual([]);
    expect(asked).toEqual([]);
    // The only complaint may be about the connection to the stopped leader.
    expect(complaints.filter((text) => !/ERR_|Failed to load/.test(text))).toEqual([]);
  });
});
