/** Server-side apply, as far as the controller relies on it: which manager has set which fields (structured-merge-diff). */
import { isDeepStrictEqual } from 'node:util';

type Fields = Record<string, unknown>;
const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The keys of associative lists, by which elements are merged. */
const listKeys = ['name', 'uid', 'containerPort', 'port', 'type', 'mountPath'];
const keyOf = (list: readonly unknown[]): string | undefined =>
  listKeys.find(
    (key) =>
      list.length > 0 &&
      list.every((element) => isObject(element) && element[key] !== undefined) &&
      new Set(list.map((element) => (element as Fields)[key])).size === list.length,
  );

const neverOwned = new Set(['apiVersion', 'kind', 'metadata.name', 'metadata.namespace']);

/** The leaves of an object as paths; elements of associative lists by their key. */
export const leavesOf = (value: unknown): string[] => [...leafValues(value).keys()];

const leafValues = (value: unknown): Map<string, unknown> => new Map(leafEntries(value, ''));

function leafEntries(value: unknown, path: string): [string, unknown][] {
  if (neverOwned.has(path)) return [];
  if (Array.isArray(value)) {
    const key = keyOf(value);
    if (key === undefined) return [[path, value]];
    return value.flatMap((element) => leafEntries(element, `${path}[${String((element as Fields)[key])}]`));
  }
  if (isObject(value) && Object.keys(value).length > 0)
    return Object.entries(value).flatMap(([name, inner]) =>
      leafEntries(inner, path === '' ? name : `${path}.${name}`),
    );
  return [[path, value]];
}

/** The leaves that a change has set or taken away. */
export function changedLeaves(before: unknown, after: unknown): { set: string[]; gone: string[] } {
  const [old, now] = [leafValues(before), leafValues(after)];
  return {
    set: [...now].filter(([leaf, value]) => !isDeepStrictEqual(old.get(leaf), value)).map(([leaf]) => leaf),
    gone: [...old.keys()].filter((leaf) => !now.has(leaf)),
  };
}

/** A set of leaves as managedFields has it (structured-merge-diff fieldpath/serialize-pe.go); `live` has all of them. */
export function fieldsV1Of(live: unknown, owned: ReadonlySet<string>, path = ''): Fields {
  const entry = (element: string, inner: unknown, place: string): [string, Fields][] => {
    if (owned.has(place)) return [[element, {}]];
    const below = fieldsV1Of(inner, owned, place);
    if (Object.keys(below).length === 0) return [];
    return [[element, element.startsWith('k:') ? { '.': {}, ...below } : below]];
  };
  if (isObject(live))
    return Object.fromEntries(
      Object.entries(live).flatMap(([name, inner]) =>
        entry(`f:${name}`, inner, path === '' ? name : `${path}.${name}`),
      ),
    );
  const key = Array.isArray(live) ? keyOf(live) : undefined;
  if (!Array.isArray(live) || key === undefined) return {};
  return Object.fromEntries(
    live.flatMap((element: Fields) =>
      entry(`k:${JSON.stringify({ [key]: element[key] })}`, element, `${path}[${String(element[key])}]`),
    ),
  );
}

/** `live` with the fields of `applied`, and without the leaves of `dropped`. */
export function merge(live: unknown, applied: unknown, dropped: ReadonlySet<string>): unknown {
  return overlay(prune(live, dropped), applied);
}

function overlay(live: unknown, applied: unknown): unknown {
  if (isObject(live) && isObject(applied)) {
    const result: Fields = { ...live };
    for (const [key, value] of Object.entries(applied)) result[key] = overlay(live[key], value);
    return result;
  }
  if (Array.isArray(live) && Array.isArray(applied)) {
    const key = keyOf(applied);
    if (key === undefined || keyOf(live) !== key) return applied;
    const idOf = (element: unknown) => (element as Fields)[key];
    const kept = live.map((element) => {
      const other = applied.find((candidate) => idOf(candidate) === idOf(element));
      return other === undefined ? element : overlay(element, other);
    });
    return [
      ...kept,
      ...applied.filter((element) => !live.some((candidate) => idOf(candidate) === idOf(element))),
    ];
  }
  return applied;
}

function prune(value: unknown, dropped: ReadonlySet<string>, path = ''): unknown {
  if (dropped.size === 0) return value;
  if (Array.isArray(value)) {
    const key = keyOf(value);
    if (key === undefined) return value;
    return value
      .map((element) => prune(element, dropped, `${path}[${String((element as Fields)[key])}]`))
      .filter((element) => !isObject(element) || Object.keys(element).length > 0);
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value).flatMap(([name, inner]) => {
    const below = path === '' ? name : `${path}.${name}`;
    if (dropped.has(below)) return [];
    const pruned = prune(inner, dropped, below);
    const isEmptied =
      isObject(pruned) && Object.keys(pruned).length === 0 && !isDeepStrictEqual(pruned, inner);
    return isEmptied ? [] : [[name, pruned]];
  });
  return Object.fromEntries(entries);
}

/** RFC 7396. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Fields = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (value !== undefined) result[key] = mergePatch(result[key], value);
  }
  return result;
}
