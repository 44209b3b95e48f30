import { ExitCode, PodError } from '../../../agent/errors.ts';

/** Something wrong with a MiniCluster: where, and what is wrong or was expected. */
export interface FieldProblem {
  /** As in `spec.containers[0].command`. */
  readonly path: string;
  readonly why: string;
}

/** `['spec', 'containers', 0]` -> `spec.containers[0]`, below `base` if there is one; keys that are no plain words in brackets. */
export function formatPath(path: readonly PropertyKey[], base = ''): string {
  const below = path
    .map((part) => {
      if (typeof part === 'number') return `[${part}]`;
      return /^[A-Za-z_][\w-]*$/.test(String(part)) ? `.${String(part)}` : `[${JSON.stringify(part)}]`;
    })
    .join('');
  return `${base}${below}`.replace(/^\./, '');
}

/** One error for all problems, a line each. */
export function miniClusterError(what: string, problems: readonly FieldProblem[], hint?: string): PodError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const lines = problems.map(({ path, why }) => `${path}: ${why}`);
  return new PodError(
    ExitCode.configuration,
    `Cannot render ${what}, ${count}:\n  ${lines.join('\n  ')}`,
    hint === undefined ? {} : { hint },
  );
}
