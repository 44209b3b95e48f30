import * as z from 'zod/mini';
import { contradictions } from './contradictions.ts';
import { type FieldProblem, formatPath, miniClusterError } from './field-problem.ts';
import { type MiniCluster, miniClusterSchema } from './schema.ts';
import { whyUnknown } from './unknown-field.ts';

/**
 * Checks that `object` is a MiniCluster that can be rendered. Throws a PodError (exit 78) that lists every problem with its
 * path; `what` names the object in it.
 */
export function readMiniCluster(object: unknown, what = 'the MiniCluster'): MiniCluster {
  const written = withoutNulls(object);
  const result = z.safeParse(miniClusterSchema, written);
  if (!result.success) {
    const unknown = result.error.issues.some(({ code }) => code === 'unrecognized_keys');
    throw miniClusterError(
      what,
      result.error.issues.flatMap((issue) => explain(issue, written)),
      unknown ? 'The fields are those of flux-framework.org/v1alpha2 in the Flux Operator.' : undefined,
    );
  }
  // Nulls were taken out, so nothing is undefined.
  const miniCluster = result.data as MiniCluster;
  const problems = contradictions(miniCluster);
  if (problems.length > 0) throw miniClusterError(what, problems);
  return miniCluster;
}

function explain(issue: z.core.$ZodIssue, written: unknown): FieldProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: formatPath([...issue.path, key]),
      why: whyUnknown([...issue.path, key]),
    }));
  }
  const value = issue.path.reduce<unknown>(
    (within, part) =>
      typeof within === 'object' && within !== null
        ? (within as Record<PropertyKey, unknown>)[part]
        : undefined,
    written,
  );
  const why =
    value === undefined
      ? `is missing: expected ${issue.message}`
      : `expected ${issue.message}, not ${(JSON.stringify(value) ?? String(value)).slice(0, 80)}`;
  return [{ path: formatPath(issue.path), why }];
}

/** The API server takes a null for a field that is not there, as all of a MiniCluster's fields are not nullable. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined);
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutNulls(inner)]));
}
