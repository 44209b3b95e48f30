/**
 * Fields that flux-pod has set on a live object and that are no longer desired: what server-side apply removes. They are read off the
 * managedFields, so that a field of another manager is never among them, and that nothing is kept by the controller.
 */
import { fieldManager } from '../kubernetes/api.ts';
import type { KubernetesObject, ManagedFields } from '../kubernetes/object.ts';
import { differences, join } from './differences.ts';

/** Paths such as `spec.template.spec.containers[flux].env[DEBUG]`. */
export function removedFields(desired: KubernetesObject, live: KubernetesObject): string[] {
  const paths = ownManagedFields(live)
    // The fields of another version may have other names.
    .filter(({ apiVersion }) => apiVersion === live.apiVersion)
    .flatMap(({ fieldsV1 }) => removedIn(fieldsV1 ?? {}, desired, live));
  return [...new Set(paths)];
}

/** What flux-pod has applied or patched, without the status. */
export const ownManagedFields = ({ metadata }: KubernetesObject): readonly ManagedFields[] =>
  (metadata.managedFields ?? []).filter(
    ({ manager, subresource = '' }) => manager === fieldManager && subresource === '',
  );

type Fields = Readonly<Record<string, unknown>>;

/**
 * `owned` is a set in the form of structured-merge-diff (fieldpath/serialize-pe.go): `f:NAME` is a field and `k:{...}` an element of a list by its
 * keys; `.` is the place itself, and a list or map that is set as a whole ends in `{}`. The paths begin below the place: most often there are
 * none, and then no text is made.
 */
function removedIn(owned: object, desired: unknown, live: unknown): string[] {
  const removed: string[] = [];
  for (const [element, below] of Object.entries(owned) as [string, object][]) {
    const step = stepOf(element);
    const existing = step?.of(live);
    if (step === undefined || isAbsent(existing)) continue;
    const wanted = step.of(desired);
    const isWhole = step.isElement || Object.keys(below).every((inner) => inner === '.');
    if (isWhole && isAbsent(wanted)) removed.push(step.path());
    else if (isWhole && atomic.has(element)) removed.push(...differences(existing, wanted, step.path()));
    else for (const path of removedIn(below, wanted, existing)) removed.push(beside(step.path(), path));
  }
  return removed;
}

const beside = (path: string, below: string): string =>
  below.startsWith('[') ? `${path}${below}` : `${path}.${below}`;

/**
 * Fields that a MiniCluster has, that are set as a whole (`x-kubernetes-map-type` or `-list-type: atomic`), and in which the API server fills in
 * no defaults: what is removed inside of them is not in the set.
 */
const atomic: ReadonlySet<string> = new Set(['f:nodeSelector', 'f:tolerations']);

interface PathStep {
  readonly path: () => string;
  readonly isElement: boolean;
  readonly of: (value: unknown) => unknown;
}

/** Undefined for `.`, and for sets of scalars, of which none is rendered. */
function stepOf(element: string): PathStep | undefined {
  const text = element.slice(2);
  if (element.startsWith('f:'))
    return {
      path: () => join('', text),
      isElement: false,
      of: (value) => (value as Fields | undefined)?.[text],
    };
  if (!element.startsWith('k:')) return undefined;
  const keys = Object.entries(JSON.parse(text) as Fields);
  // A key that is not desired has its default, such as the protocol of a port.
  const isIt = (candidate: Fields) =>
    keys.every(([key, value]) => isAbsent(candidate[key]) || candidate[key] === value);
  return {
    path: () => `[${String(keys[0]?.[1])}]`,
    isElement: true,
    of: (value) => (Array.isArray(value) ? value.find(isIt) : undefined),
  };
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null;
