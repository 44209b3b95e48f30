/** Values of the KVS as they are stored: as tree objects (RFC 11) whose content lies in the content store (RFC 10), blob by blob. */
import * as z from 'zod/mini';
import type { RpcOptions } from '../../channel.ts';
import { Errno, FluxError } from '../../errors.ts';
import { type FluxClient, readAnswer } from '../answer.ts';

export const primaryNamespace = 'primary';

/** A part of a value: a blob by its reference, or bytes that stand in the tree object itself. */
export type Part = string | Uint8Array;

/** flux-core src/common/libkvs/kvs.h, FLUX_KVS_TREEOBJ: the answer is the tree object, not the content of its blobs. */
const treeObject = 16;

const lookupAnswer = z.object({
  val: z.discriminatedUnion('type', [
    z.object({ type: z.literal('val'), data: z.string() }),
    z.object({ type: z.literal('valref'), data: z.array(z.string()) }),
  ]),
});

/**
 * The parts of a value in their order; undefined where there is none. Each append to a value adds one part, and changes none before it
 * (flux-core src/modules/kvs/kvstxn.c, kvstxn_append): a reader continues by the number of the part.
 */
export async function lookupParts(
  client: FluxClient,
  key: string,
  options?: RpcOptions,
): Promise<readonly Part[] | undefined> {
  const topic = 'kvs.lookup';
  const request = { key, flags: treeObject, namespace: primaryNamespace };
  try {
    const { val } = readAnswer(lookupAnswer, topic, await client.rpc(topic, request, options));
    return val.type === 'valref' ? val.data : [Buffer.from(val.data, 'base64')];
  } catch (error) {
    if (error instanceof FluxError && error.errnum === Errno.noEntry) return undefined;
    throw error;
  }
}

/**
 * The content of a blob. The backing store is asked before the content cache, which holds every blob that it loads for 10 s (flux-core
 * src/modules/content/cache.c, cache_purge): a gigabyte read at full speed would be a gigabyte in the broker. The cache has the blobs that
 * are not in the store yet, and all of them where there is no store.
 */
export async function loadBlob(
  client: FluxClient,
  reference: string,
  options?: RpcOptions,
): Promise<Uint8Array> {
  const hash = Buffer.from(reference.slice(reference.indexOf('-') + 1), 'hex');
  try {
    return await client.rpcRaw('content-backing.load', hash, { ...options, nodeid: 0 });
  } catch (error) {
    const isElsewhere =
      error instanceof FluxError && (error.errnum === Errno.noEntry || error.errnum === Errno.noService);
    if (!isElsewhere) throw error;
    return client.rpcRaw('content.load', hash, options);
  }
}

const versionAnswer = z.object({ rootseq: z.int() });

/** The version of a namespace, which each commit raises by one; undefined where the namespace does not exist. */
export const getVersion = (
  client: FluxClient,
  namespace: string,
  options?: RpcOptions,
): Promise<number | undefined> => versionOf(client, 'kvs.getroot', { namespace }, options);

/** Waits until a namespace has this version; resolves to the one it has, or to undefined when it is removed. */
export const waitForVersion = (
  client: FluxClient,
  namespace: string,
  version: number,
  options?: RpcOptions,
): Promise<number | undefined> =>
  versionOf(client, 'kvs.wait-version', { namespace, rootseq: version }, options);

async function versionOf(
  client: FluxClient,
  topic: string,
  payload: { readonly namespace: string; readonly rootseq?: number },
  options: RpcOptions | undefined,
): Promise<number | undefined> {
  try {
    return readAnswer(versionAnswer, topic, await client.rpc(topic, payload, options)).rootseq;
  } catch (error) {
    if (error instanceof FluxError && error.errnum === Errno.notSupported) return undefined;
    throw error;
  }
}
