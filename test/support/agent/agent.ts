import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { formatCertificate } from '../../../agent/broker/certificate/curve-certificate.ts';
import { createCertificate } from '../../../agent/broker/certificate/key-pair.ts';
import { installOnHost } from '../project/flux-pod.ts';

/** A place for one agent that runs on this machine as a process, without namespaces: what it needs, and nothing else. */
export interface AgentPlace {
  readonly directory: string;
  /** A `flux` that runs the broker's initial program at once and ends as it does. */
  readonly flux: string;
  readonly env: Readonly<Record<string, string>>;
  /** Writes a file into the place and returns its path. */
  readonly file: (name: string, content: string, mode?: number) => string;
  readonly run: (
    args: readonly string[],
    env?: Readonly<Record<string, string | undefined>>,
  ) => Promise<Result>;
  readonly remove: () => void;
}

export interface Result {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** The options of `flux broker` end where its initial program begins. A broker that gets so far has made its socket. */
export const fakeFlux = `#!/bin/sh
shift
for word; do case $word in -Slocal-uri=local://*) socket=\${word#*://}; : >"$socket"; rm "$socket" ;; esac; done
while :; do case $1 in -*) shift ;; *) break ;; esac; done
[ $# -gt 0 ] || exec sleep 1000
exec "$@"
`;

export function makeAgentPlace(): AgentPlace {
  const program = join(installOnHost(), 'flux-pod');
  const directory = mkdtempSync(join(tmpdir(), 'flux-pod-test-'));
  const file = (name: string, content: string, mode = 0o644) => {
    const path = join(directory, name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };
  const flux = file('flux', fakeFlux, 0o755);
  const env = {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    JOB_COMPLETION_INDEX: '0',
    FLUX_POD_SIZE: '4',
    FLUX_POD_CLUSTER: 'mc',
    FLUX_POD_SERVICE: 'flux-service',
    FLUX_POD_NAMESPACE: 'default',
    FLUX_POD_ADDRESS: '127.0.0.2',
    FLUX_POD_CURVE_CERT: file('curve.cert', formatCertificate(createCertificate({ name: 'mc' })), 0o400),
    FLUX_POD_DIR: join(directory, 'dir'),
    FLUX_POD_FLUX: flux,
    FLUX_POD_HOOKS: join(directory, 'hooks'),
    // Not this machine's /etc/flux-pod/config.toml.
    FLUX_POD_CONFIG: file('config.toml', ''),
  };
  return {
    directory,
    flux,
    env,
    file,
    run: async (args, more = {}) => {
      const result = await execa(program, args, {
        env: { ...env, ...more },
        extendEnv: false,
        reject: false,
        stdin: 'ignore',
        timeout: 120_000,
      });
      return { code: result.exitCode, stdout: result.stdout, stderr: result.stderr };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
