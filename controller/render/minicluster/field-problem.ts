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

/** A MiniCluster that cannot be rendered (exit 78). */
export class MiniClusterError extends PodError {
  readonly problems: readonly FieldProblem[];

  constructor(message: string, problems: readonly FieldProblem[], options: { hint?: string }) {
    super(ExitCode.configuration, message, options);
    this.problems = problems;
  }
}

export const formatProblem = ({ path, why }: FieldProblem): string => `${path}: ${why}`;

/** One error for all problems, a line each. */
export function miniClusterError(
  what: string,
  problems: readonly FieldProblem[],
  hint?: string,
): MiniClusterError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return new MiniClusterError(
    `Cannot render ${what}, ${count}:\n  ${problems.map(formatProblem).join('\n  ')}`,
    problems,
    hint === undefined ? {} : { hint },
  );
}
