/**
 * Where a live object differs from the desired one: only fields that are desired count, as with server-side apply. What the API server
 * writes in another form (quantities, defaults in empty places) is no difference.
 */

/** The paths of the fields that differ, such as `spec.template.spec.containers[flux].image`, in the order of the desired object. */
export function differences(desired: unknown, live: unknown, path = ''): string[] {
  if (isAbsent(desired)) return [];
  if (Array.isArray(desired)) return listDifferences(desired, live, path);
  if (isObject(desired)) {
    if (!isObject(live)) return isEmpty(desired) && live === undefined ? [] : [path];
    return Object.entries(desired).flatMap(([key, value]) =>
      isMap.test(path) && !isAbsent(value) && !Object.hasOwn(live, key)
        ? [join(path, key)]
        : differences(value, live[key], join(path, key)),
    );
  }
  return sameScalar(desired, live, path) ? [] : [path];
}

/** Maps, whose keys are the user's: one that is there has a meaning also where its value is empty, as a node's role has. */
const isMap =
  /(^|\.)(nodeSelector|labels|annotations|selector|matchLabels|data|volumeAttributes|limits|requests)$/;

/** The keys of lists that Kubernetes merges by an element's own name (`x-kubernetes-list-map-keys`). */
const mergeKeys = ['name', 'mountPath', 'containerPort', 'port', 'topologyKey'] as const;

function listDifferences(desired: readonly unknown[], live: unknown, path: string): string[] {
  if (!Array.isArray(live)) return desired.length === 0 && live === undefined ? [] : [path];
  const key = mergeKeys.find((candidate) => isKeyOf(candidate, desired) && isKeyOf(candidate, live));
  if (key === undefined) {
    if (desired.length !== live.length) return [path];
    return desired.flatMap((value, index) => differences(value, live[index], `${path}[${index}]`));
  }
  // Elements of other owners, such as a webhook's sidecar, may stand beside.
  const byKey = new Map(live.map((element) => [(element as Fields)[key], element]));
  return desired.flatMap((element) => {
    const name = (element as Fields)[key];
    const place = `${path}[${String(name)}]`;
    return byKey.has(name) ? differences(element, byKey.get(name), place) : [place];
  });
}

type Fields = Readonly<Record<string, unknown>>;

const isKeyOf = (key: string, list: readonly unknown[]): boolean =>
  list.length > 0 &&
  list.every((element) => isObject(element) && element[key] !== undefined) &&
  new Set(list.map((element) => (element as Fields)[key])).size === list.length;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** JSON has no undefined; Kubernetes writes null for what is not set. */
const isAbsent = (value: unknown): boolean => value === undefined || value === null;
const isEmpty = (value: Fields): boolean => Object.values(value).every(isAbsent);
/** `data["start.sh"]` where the key is no identifier. */
export const join = (path: string, key: string): string => {
  if (!/^[A-Za-z][A-Za-z0-9]*$/.test(key)) return `${path}["${key}"]`;
  return path === '' ? key : `${path}.${key}`;
};

function sameScalar(desired: unknown, live: unknown, path: string): boolean {
  if (desired === live) return true;
  // The API server leaves out the zero value of a field that has no pointer.
  if (live === undefined) return desired === false || desired === 0 || desired === '';
  if (!isQuantity.test(path)) return false;
  const [left, right] = [quantityOf(desired), quantityOf(live)];
  return left !== undefined && left === right;
}

/** The fields of the rendered objects that are quantities. */
const isQuantity = /\b(limits|requests|sizeLimit)\b/;

const suffixes: Readonly<Record<string, number>> = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 },
};

/**
 * The value of a quantity such as `500m` or `1Gi` (apimachinery pkg/api/resource/quantity.go), rounded to what its canonical form keeps;
 * undefined for other texts.
 */
function quantityOf(value: unknown): number | undefined {
  const [, digits, exponent, suffix = ''] =
    /^([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+))?([a-zA-Z]*)$/.exec(String(value)) ?? [];
  const factor = suffixes[suffix];
  if (digits === undefined || factor === undefined) return undefined;
  return Number((Number(digits) * 10 ** Number(exponent ?? 0) * factor).toPrecision(12));
}
