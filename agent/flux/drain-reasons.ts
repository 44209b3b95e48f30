/**
 * The reasons of the drains that are flux-pod's own. What a user has drained has another one, and is never undone. Flux has no other word for
 * who has drained a node (flux-core src/modules/resource/drain.c).
 */

const own = 'flux-pod: ';
export const isOwnReason = (reason: string): boolean => reason.startsWith(own);

/** Of a node that its own agent has drained: the next broker there takes jobs again. */
export const stoppingReason = `${own}the pod is stopping`;

const shrinks = `${own}the size shrinks to `;
export const shrinkReason = (size: number): string => `${shrinks}${size}`;
export const isShrinkReason = (reason: string): boolean => reason.startsWith(shrinks);
