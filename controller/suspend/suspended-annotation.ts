/**
 * The annotation of a Job that the controller has suspended, and not Kueue, says for what: it is resumed when that is over. `true` is for
 * `spec.suspend`; else it names the generation of the MiniCluster that was idle, which any change of its spec makes another one.
 */

interface Annotated {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
}

export const suspendedAnnotation = 'flux-pod/suspended';

const idlePrefix = 'idle-';
export const askedFor = 'true';
export const idleIn = (generation: number): string => `${idlePrefix}${generation}`;

export const suspendedFor = ({ metadata }: Annotated): string | undefined =>
  metadata?.annotations?.[suspendedAnnotation];

/** Whether a suspended Job was suspended because no job of Flux was active. */
export const isIdle = (job: Annotated): boolean => suspendedFor(job)?.startsWith(idlePrefix) ?? false;
