/** The seed of all certificates: 32 random bytes in a Secret of the controller's own namespace, made once. */
import { randomBytes } from 'node:crypto';
import { ExitCode, PodError } from '../agent/errors.ts';
import { hasStatus, type KubernetesApi } from './kubernetes/api.ts';
import { resources } from './kubernetes/resources.ts';
import { seedLength } from './reconcile/certificate.ts';

export const seedSecret = 'flux-pod-controller-seed';

/** Throws a PodError (exit 77) where the Secret holds something else: certificates of a new seed would be other ones. */
export async function readSeed(api: KubernetesApi, namespace: string): Promise<Uint8Array> {
  const target = { resource: resources.secrets, namespace, name: seedSecret };
  const existing = await api.get(target);
  if (existing) return seedOf(existing as { data?: { seed?: string } }, namespace);
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace, name: seedSecret, labels: { 'app.kubernetes.io/managed-by': 'flux-pod' } },
    type: 'Opaque',
    immutable: true,
    data: { seed: randomBytes(seedLength).toString('base64') },
  };
  try {
    return seedOf((await api.create(secret)) as { data?: { seed?: string } }, namespace);
  } catch (error) {
    // Another replica was faster.
    const made = hasStatus(error, 409) ? await api.get(target) : undefined;
    if (!made) throw error;
    return seedOf(made as { data?: { seed?: string } }, namespace);
  }
}

function seedOf({ data }: { readonly data?: { readonly seed?: string } }, namespace: string): Uint8Array {
  const seed = Buffer.from(data?.seed ?? '', 'base64');
  if (seed.length === seedLength) return seed;
  throw new PodError(
    ExitCode.certificate,
    `Cannot use the Secret ${namespace}/${seedSecret}: its key "seed" has ${seed.length} bytes, expected ${seedLength}`,
    {
      hint: 'Restore it from a backup. A new one gives MiniClusters whose Secret is lost another certificate: delete it only where none runs.',
    },
  );
}
