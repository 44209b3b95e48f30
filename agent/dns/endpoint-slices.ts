/**
 * A pod's addresses from the API server, without a cache between. Only where the pod's service account may list EndpointSlices; one
 * request over https, without a client library (that costs 540 ms and 126 MB).
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import type { HostPort } from '../address.ts';
import { abortedWithin } from '../timeout.ts';
import type { ParentName } from './query/lookup.ts';

/** The API server is a load balancer away, and meanwhile the DNS may have found the parent. */
const timeoutMs = 2000;
/** A slice has at most 100 endpoints by default, each some 400 bytes; the reply of an instance that asks is smaller. */
const largestReply = 4_000_000;

/**
 * The addresses of the pod in its Service's slices, none where it has none or the server did not answer in time. Undefined where a retry
 * is useless: the account may not list (403), has no token, or the server has no such resource.
 */
export async function readEndpointSlices(
  { name, service = '', family }: ParentName,
  server: HostPort,
  serviceAccount: string,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const [hostname = ''] = name.split('.', 1);
  const [serviceName, namespace] = service.split('.');
  if (!serviceName || !namespace) return undefined;
  const selector = encodeURIComponent(`kubernetes.io/service-name=${serviceName}`);
  const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${selector}`;
  try {
    const token = readFileSync(join(serviceAccount, 'token'), 'utf8').trim();
    const ca = readFileSync(join(serviceAccount, 'ca.crt'));
    const limit = abortedWithin(timeoutMs, signal);
    const { status, body } = await get(server, path, token, ca, limit);
    if (status !== 200) return status >= 500 || status === 429 ? [] : undefined;
    return addressesOf(JSON.parse(body), hostname, family);
  } catch (error) {
    signal.throwIfAborted();
    // A server that is slow or out of reach may answer the next request.
    return isTransient(error) ? [] : undefined;
  }
}

const isTransient = (error: unknown): boolean =>
  error instanceof Error &&
  (error.name === 'AbortError' ||
    ('code' in error && /^(ECONN|EHOST|ENET|EPIPE|ETIMEDOUT|EAI_)/.test(String(error.code))));

function get(
  { host, port }: HostPort,
  path: string,
  token: string,
  ca: Buffer,
  signal: AbortSignal,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
    // Explicit, since the pod may set NODE_TLS_REJECT_UNAUTHORIZED for its program: the token is for the cluster's own server only.
    const tls = { ca, rejectUnauthorized: true };
    const asked = request({ host, port, path, ...tls, headers, signal, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('error', reject);
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > largestReply)
          response.destroy(new Error(`The API server's reply exceeds ${largestReply} bytes`));
        else chunks.push(chunk);
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** discovery.k8s.io/v1 EndpointSliceList; `hostname` is set for pods of a headless Service that have a subdomain. */
function addressesOf(list: unknown, hostname: string, family: 4 | 6): string[] {
  return each(field(list, 'items'))
    .filter((slice) => field(slice, 'addressType') === `IPv${family}`)
    .flatMap((slice) => each(field(slice, 'endpoints')))
    .filter((endpoint) => field(endpoint, 'hostname') === hostname)
    .flatMap((endpoint) => each(field(endpoint, 'addresses')))
    .filter((address) => typeof address === 'string');
}

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;

const each = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
