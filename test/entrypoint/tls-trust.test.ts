import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it, onTestFinished } from 'vitest';
import { selfSigned } from '../support/agent/self-signed.ts';

const sourceOf = (path: string) => JSON.stringify(new URL(`../../${path}`, import.meta.url));

/** A server that nobody vouches for: what it is told, and where it listens. */
async function falseServer() {
  const heard: (string | undefined)[] = [];
  const server = createServer(selfSigned(), (request, response) => {
    heard.push(request.headers.authorization);
    response.end(JSON.stringify({ items: [], jobs: [] }));
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { heard, port: (server.address() as AddressInfo).port };
}

/** The mount of a service account, whose `ca.crt` vouches for another server. */
function secrets(): string {
  const directory = mkdtempSync(join(tmpdir(), 'flux-pod-trust-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'token'), 'the-token');
  writeFileSync(join(directory, 'ca.crt'), selfSigned().cert);
  return directory;
}

/** A program of its own, with what a pod may set for its own program. */
async function run(script: string): Promise<unknown> {
  const { stdout } = await execa(process.execPath, ['--input-type=module', '--eval', script], {
    env: { NODE_OPTIONS: '', NODE_TLS_REJECT_UNAUTHORIZED: '0' },
  });
  return JSON.parse(stdout);
}

describe('with NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment a token is not sent to a false server', () => {
  it('that plays the API server of Kubernetes', async () => {
    const { heard, port } = await falseServer();
    const answer = await run(`
      import { readEndpointSlices } from ${sourceOf('agent/dns/endpoint-slices.ts')};
      const parent = { name: 'mc-0.s.n.svc.cluster.local', service: 's.n.svc.cluster.local', family: 4 };
      const server = { host: '127.0.0.1', port: ${port} };
      const found = await readEndpointSlices(parent, server, ${JSON.stringify(secrets())}, new AbortController().signal);
      console.log(JSON.stringify(found ?? 'refused'));`);
    expect(answer).toBe('refused');
    expect(heard).toEqual([]);
  });

  it('that plays the API of flux-pod, and the error has the way to trust a certificate', async () => {
    const { heard, port } = await falseServer();
    const answer = await run(`
      import { openJobs } from ${sourceOf('entrypoint/jobs/jobs-client.ts')};
      const flags = { url: 'https://127.0.0.1:${port}', 'token-file': ${JSON.stringify(join(secrets(), 'token'))} };
      const jobs = await openJobs(flags, {});
      const answer = await jobs.page({ limit: 1 }).catch(({ message, hint }) => ({ message, hint }));
      console.log(JSON.stringify(answer));`);
    expect(answer).toEqual({
      message: expect.stringMatching(/^No API answers at https:\S+: self.signed certificate/i),
      hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
    expect(heard).toEqual([]);
  });
});
