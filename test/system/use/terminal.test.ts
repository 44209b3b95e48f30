import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it, onTestFinished } from 'vitest';
import { installOnHost } from '../../support/project/flux-pod.ts';

/** Clears the screen, sets the title of the window, forges a line, and the same with C1. */
const evil = 'x\x1b[2J\x1b]0;owned\x07\nFORGED\u2028\x9b2J';
const shown = 'x\\u001b[2J\\u001b]0;owned\\u0007\\nFORGED\\u2028\\u009b2J';

async function fluxPod(args: readonly string[], env: Record<string, string> = {}) {
  const { stdout, stderr, exitCode } = await execa(join(installOnHost(), 'flux-pod'), args, {
    env: { PATH: process.env.PATH ?? '', ...env },
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
  });
  return { stdout, stderr, exitCode };
}

async function serve(answers: Readonly<Record<string, unknown>>, status = 200) {
  const server = createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answers[path] ?? answers['*'] ?? {}));
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

async function api(answers: Readonly<Record<string, unknown>>, status?: number): Promise<string[]> {
  const server = await serve(answers, status);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return ['--url', `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
}

async function agent(answers: Readonly<Record<string, unknown>>): Promise<Record<string, string>> {
  const directory = mkdtempSync(join(tmpdir(), 'terminal-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, 'run'), { mode: 0o700 });
  const server: Server = await serve(answers);
  const mask = process.umask(0o077);
  const listening = new Promise<void>((resolve) => server.listen(join(directory, 'agent.sock'), resolve));
  process.umask(mask);
  await listening;
  return { FLUX_POD_DIR: directory };
}

/** Lines are flux-pod's own, and nothing in them is for the terminal. */
function expectHarmless(text: string): void {
  expect(text).toContain(shown);
  expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
  expect(text).not.toMatch(/^FORGED/m);
}

describe('a terminal is not reached by control characters of', () => {
  const job = { id: evil, name: evil, state: 'RUN', ntasks: 1, nodelist: evil };

  it('a job’s name, in a table and as JSON', async () => {
    const url = await api({ '/v1/jobs': { jobs: [job] } });
    expectHarmless((await fluxPod(['jobs', ...url])).stdout);
    const { stdout } = await fluxPod(['jobs', '--json', ...url]);
    expect(JSON.parse(stdout).jobs).toEqual([job]);
    expect(stdout.trimEnd()).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
  });

  it('an API’s errors', async () => {
    const url = await api({ '*': { detail: evil, errors: [{ where: evil, what: evil }] } }, 422);
    expectHarmless((await fluxPod(['jobs', ...url])).stderr);
    expectHarmless((await fluxPod(['cancel', 'f1', ...url])).stderr);
  });

  it('an id that an API invents', async () => {
    const url = await api({ '*': { id: evil } });
    expectHarmless((await fluxPod(['submit', ...url, '--', 'hostname'])).stdout);
  });

  it('an agent’s status and its reasons', async () => {
    const at = new Date().toISOString();
    const probe = { ok: true, why: evil };
    const env = await agent({
      '/status': {
        pod: { name: evil, address: evil, startedAt: at },
        phase: { name: evil, since: at },
        probes: { ready: probe },
        lastError: { what: evil, at },
        remarks: [{ what: evil, at }],
      },
      '*': probe,
    });
    expectHarmless((await fluxPod(['status'], env)).stdout);
    expectHarmless((await fluxPod(['probe', 'ready'], env)).stdout);
  });
});
