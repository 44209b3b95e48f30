import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type ControllerRequest, controller } from '../../controller/controller-bundle.ts';

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
  vi.unstubAllEnvs();
  // The controller's own choice, which is not for the tests that follow in this process.
  setFlagsFromString('--no-optimize-for-size');
});

/** Takes connections and never answers. */
async function listenInSilence(): Promise<{ readonly port: number; readonly asked: Promise<unknown> }> {
  const server = createServer((socket) => sockets.push(socket.on('error', () => undefined)));
  servers.push(server);
  const asked = once(server, 'connection');
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { port: (server.address() as AddressInfo).port, asked };
}

/** A controller whose API server is this port of this machine. */
function startController(apiPort: number, http: ControllerRequest['http']) {
  const file = join(mkdtempSync(join(tmpdir(), 'controller-')), 'kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'here', cluster: { server: `https://127.0.0.1:${apiPort}`, 'insecure-skip-tls-verify': true } },
    ],
    users: [{ name: 'me', user: {} }],
    contexts: [{ name: 'here', context: { cluster: 'here', user: 'me' } }],
    'current-context': 'here',
  };
  writeFileSync(file, JSON.stringify(config));
  vi.stubEnv('KUBECONFIG', file);
  const stopping = new AbortController();
  const ended = controller({
    namespaces: undefined,
    miniCluster: undefined,
    installer: 'installer',
    user: 'image',
    extras: new Set(),
    leaderElection: true,
    cleanupSeconds: 60,
    http,
    level: 'error',
    format: 'text',
    signal: stopping.signal,
  });
  return { ended, stop: () => stopping.abort() };
}

describe('the controller', () => {
  it('is alive and not ready, and can be stopped, while an API server does not answer its first request', async () => {
    const { port, asked } = await listenInSilence();
    const free = createServer();
    await once(free.listen(0, '127.0.0.1'), 'listening');
    const http = { host: '127.0.0.1', port: (free.address() as AddressInfo).port };
    await once(free.close(), 'close');
    const { ended, stop } = startController(port, http);
    await asked;
    const status = async (path: string) => (await fetch(`http://127.0.0.1:${http.port}${path}`)).status;
    expect(await status('/healthz')).toBe(200);
    expect(await status('/readyz')).toBe(503);
    stop();
    expect(await ended).toBe(0);
  });

  it('names the address that it cannot listen on, and the flag', async () => {
    const { port } = await listenInSilence();
    const { ended } = startController(port, { host: '127.0.0.1', port });
    await expect(ended).rejects.toMatchObject({
      exitCode: 78,
      message: `Cannot serve probes and metrics on 127.0.0.1:${port}: something else listens there`,
      hint: expect.stringContaining('--http'),
    });
  });
});
