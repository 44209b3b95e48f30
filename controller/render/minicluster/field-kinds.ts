/** The kinds of value in a MiniCluster. The message of each completes "expected ..." when a value is refused. */
import * as z from 'zod/mini';

/** No shell, no environment and no file name can hold a null character. */
export const text = z
  .string({ error: 'text (numbers and true or false in quotes)' })
  .check(z.regex(/^[^\0]*$/, { error: 'text without a null character' }));
export const flag = z.boolean({ error: 'true or false' });

/** A whole number as Kubernetes keeps it: int32, or int64 as far as JavaScript counts. */
export const wholeNumber = (least: number, most = 2 ** 31 - 1) => {
  const error =
    most === 2 ** 31 - 1 ? `a whole number from ${least}` : `a whole number from ${least} to ${most}`;
  return z.int({ error }).check(z.minimum(least, { error }), z.maximum(most, { error }));
};

export const port = wholeNumber(1, 65_535);
/** A user or group id (int64). */
export const id = wholeNumber(0, Number.MAX_SAFE_INTEGER);

export const oneOf = <const Choices extends readonly [string, ...string[]]>(...choices: Choices) =>
  z.enum(choices, { error: `one of ${choices.join(', ')}` });

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/; the pattern is the CRD's. */
const quantityPattern =
  /^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$/;
const quantityError = 'a quantity such as 2, 500m or 4Gi';
/** Always text: what the Kubernetes types know a quantity as. */
export const quantity = z.pipe(
  z.union([z.int(), z.string().check(z.regex(quantityPattern, { error: quantityError }))], {
    error: quantityError,
  }),
  z.transform(String),
);

const dnsLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** The name of a container, a volume, a namespace (RFC 1123 label). */
export const label = z
  .string({ error: 'text' })
  .check(z.regex(dnsLabel, { error: 'a DNS label: a-z, 0-9 and inner hyphens, at most 63' }));

const objectNamePattern = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
export const isObjectName = (name: string): boolean => name.length <= 253 && objectNamePattern.test(name);
/** The name of a Secret, a ConfigMap, a claim, a service account (RFC 1123 subdomain). */
export const objectName = z
  .string({ error: 'text' })
  .check(z.refine(isObjectName, { error: 'the name of an object: a-z, 0-9, inner hyphens and dots' }));

/** '' asks for a volume of no class, where without a name the cluster's default class makes one. */
export const storageClass = z.string({ error: 'text' }).check(
  z.refine((name) => name === '' || isObjectName(name), {
    error: 'the name of a storage class: a-z, 0-9, inner hyphens and dots',
  }),
);

export const absolutePath = z
  .string({ error: 'text' })
  .check(z.regex(/^\/[^\p{Cc}:]*$/u, { error: 'an absolute path without a colon or a control character' }));

/** Directories with colons between them, as in PATH. */
export const pathList = z
  .string({ error: 'text' })
  .check(z.regex(/^\P{Cc}*$/u, { error: 'directories without a control character' }));

export const map = <Value extends z.ZodMiniType>(value: Value) =>
  z.optional(z.record(z.string(), value, { error: 'a mapping' }));

export const list = <Value extends z.ZodMiniType>(value: Value) =>
  z.optional(z.array(value, { error: 'a list' }));

/** A mapping of these fields and no other. */
export const fields = <Shape extends Record<string, z.ZodMiniType>>(shape: Shape) =>
  z.strictObject(shape, { error: 'a mapping' });
