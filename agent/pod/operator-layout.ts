import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { operatorPaths } from './operator-paths.ts';

/** The files of the Flux Operator in this pod, as text. A file that does not exist is empty text. */
export interface OperatorLayout {
  readonly hostlist: string;
  readonly brokerToml: string;
  /** The script that is the container's command. */
  readonly waitScript: { readonly path: string; readonly text: string };
  readonly hasCertificate: boolean;
}

/** Undefined in a pod that is not the Operator's. `root` is where tests have another file system. */
export function readOperatorLayout(root = '/'): OperatorLayout | undefined {
  const scripts = join(root, operatorPaths.scripts);
  if (!existsSync(scripts)) return undefined;
  const hostlist = textOf(join(root, operatorPaths.hostlist)).trim();
  if (hostlist === '') return undefined;
  const script = readdirSync(scripts).find((name) => /^wait-\d+\.sh$/.test(name)) ?? 'wait-0.sh';
  return {
    hostlist,
    brokerToml: textOf(join(root, operatorPaths.brokerToml)),
    waitScript: { path: join(operatorPaths.scripts, script), text: textOf(join(scripts, script)) },
    hasCertificate: existsSync(join(root, operatorPaths.certificate)),
  };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it does not exist, or not for this user
  }
}
