import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readEndpointSlices } from '../../agent/dns/endpoint-slices.ts';
import type { ParentName } from '../../agent/dns/query/lookup.ts';
import { selfSigned } from '../support/agent/self-signed.ts';

const parent: ParentName = {
  name: 'mc-0.flux-service.team-a.svc.cluster.local',
  service: 'flux-service.team-a.svc.cluster.local',
  family: 4,
};
const never = new AbortController().signal;
const identity = selfSigned();

/** What the kubelet mounts. */
function serviceAccount(
  files: Readonly<Record<string, string>> = { token: 'the-token\n', 'ca.crt': identity.cert },
) {
  const directory = mkdtempSync(join(tmpdir(), 'flux-pod-account-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
  return directory;
}

async function apiServer(answer: (response: ServerResponse, request: IncomingMessage) => void) {
  const requests: IncomingMessage[] = [];
  const server = createServer(identity, (request, response) => {
    requests.push(request);
    answer(response, request);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const bound = server.address();
  return {
    requests,
    address: { host: '127.0.0.1', port: typeof bound === 'object' && bound ? bound.port : 0 },
  };
}

const endpoint = (hostname: string | undefined, ...addresses: string[]) => ({ hostname, addresses });
const slices = {
  kind: 'EndpointSliceList',
  items: [
    { addressType: 'IPv4', endpoints: [endpoint('mc-0', '10.0.0.1'), endpoint('mc-1', '10.0.0.2')] },
    { addressType: 'IPv4', endpoints: [endpoint(undefined, '10.0.0.3'), endpoint('mc-0', '10.0.0.4')] },
    { addressType: 'IPv6', endpoints: [endpoint('mc-0', 'fd00::1')] },
    { addressType: 'IPv4', endpoints: null },
  ],
};

describe('the slices of the Service', () => {
  it('tell the addresses of one pod, of one family; they are asked for with the token of the account', async () => {
    const { requests, address } = await apiServer((response) => response.end(JSON.stringify(slices)));
    const account = serviceAccount();
    expect(await readEndpointSlices(parent, address, account, never)).toEqual(['10.0.0.1', '10.0.0.4']);
    expect(await readEndpointSlices({ ...parent, family: 6 }, address, account, never)).toEqual(['fd00::1']);
    expect(requests[0]?.url).toBe(
      '/apis/discovery.k8s.io/v1/namespaces/team-a/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dflux-service',
    );
    expect(requests[0]?.headers.authorization).toBe('Bearer the-token');
  });

  it.each<[string, (response: ServerResponse) => void, readonly string[] | undefined]>([
    ['403: the account may not list them', (response) => response.writeHead(403).end('{}'), undefined],
    ['401', (response) => response.writeHead(401).end('{}'), undefined],
    ['404: there is no such resource', (response) => response.writeHead(404).end('{}'), undefined],
    ['nonsense', (response) => response.end('<html>'), undefined],
    ['another list', (response) => response.end('{"items":[1,null,{"endpoints":[3]}]}'), []],
    ['429: it is busy', (response) => response.writeHead(429).end('{}'), []],
    ['500', (response) => response.writeHead(500).end('{}'), []],
    ['and breaks off', (response) => response.destroy(), []],
  ])('where the API server answers %s', async (_, answer, addresses) => {
    const { address } = await apiServer(answer);
    expect(await readEndpointSlices(parent, address, serviceAccount(), never)).toEqual(addresses);
  });

  it('are not asked for again of a server whose certificate is not trusted, nor without a token', async () => {
    const { requests, address } = await apiServer((response) => response.end(JSON.stringify(slices)));
    const stranger = serviceAccount({ token: 'the-token', 'ca.crt': selfSigned().cert });
    expect(await readEndpointSlices(parent, address, stranger, never)).toBeUndefined();
    expect(await readEndpointSlices(parent, address, serviceAccount({}), never)).toBeUndefined();
    expect(requests).toEqual([]);
  });

  it('may be to be had later from a server that is out of reach', async () => {
    const { address } = await apiServer(() => undefined);
    const nobody = { ...address, port: 1 };
    expect(await readEndpointSlices(parent, nobody, serviceAccount(), never)).toEqual([]);
  });

  it('are given up with the wait', async () => {
    const stop = new AbortController();
    const reason = new Error('the pod stops');
    const { address } = await apiServer(() => stop.abort(reason));
    const asked = readEndpointSlices(parent, address, serviceAccount(), stop.signal);
    await expect(asked).rejects.toBe(reason);
  });
});
