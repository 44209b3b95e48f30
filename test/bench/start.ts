/**
 * From exec of the entrypoint to exec of the broker on the leader of four pods, with nothing to wait for: flux-pod beside a
 * bash script that writes the same files and has `flux R encode` write R, and beside a Node.js that does nothing but start the broker. All
 * start the same `flux`, a wrapper that notes the time when it is asked for the broker.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatCertificate } from '../../agent/broker/certificate/curve-certificate.ts';
import { createCertificate } from '../../agent/broker/certificate/key-pair.ts';
import { installOnHost, realFlux } from '../support/project/flux-pod.ts';
import { row } from './table.ts';

const pairs = 40;
const warmUps = 3;

export async function start(): Promise<void> {
  const flux = realFlux();
  if (!flux) {
    console.log(
      'start: SKIPPED, there is no real flux on PATH or in /opt/flux/bin, whose `flux R encode` bash would run',
    );
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), 'flux-pod-bench-'));
  try {
    const ways = layOut(directory, flux.onHost);
    const measured = { fluxPod: [] as number[], bash: [] as number[], node: [] as number[] };
    for (let pair = -warmUps; pair < pairs; pair++) {
      for (const way of ['fluxPod', 'bash', 'node'] as const) {
        const milliseconds = millisecondsToBroker(ways[way], directory);
        if (pair >= 0) measured[way].push(milliseconds);
      }
    }
    const ratios = (values: readonly number[]) =>
      values.map((value, pair) => value / (measured.bash[pair] ?? Number.NaN));
    console.log(`exec of the entrypoint to exec of the broker, leader of 4, ${pairs} pairs; milliseconds`);
    console.log(row('', ['min', 'median', 'max']));
    console.log(row('flux-pod', spread(measured.fluxPod, 1)));
    console.log(row('bash + flux R encode', spread(measured.bash, 1)));
    console.log(row('ratio, pair by pair', spread(ratios(measured.fluxPod), 2)));
    console.log(row('Node.js that does nothing else', spread(measured.node, 1)));
    console.log(row('ratio, pair by pair', spread(ratios(measured.node), 2)));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Way {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

function layOut(directory: string, flux: string): { fluxPod: Way; bash: Way; node: Way } {
  const wrapper = join(directory, 'flux');
  writeFileSync(
    wrapper,
    `#!/bin/bash\n[ "$1" = broker ] && { echo "$EPOCHREALTIME" >"$STAMP"; exit 0; }\nexec ${flux} "$@"\n`,
    { mode: 0o755 },
  );
  const certificate = join(directory, 'mounted.cert');
  writeFileSync(certificate, formatCertificate(createCertificate({ name: 'mc' })), { mode: 0o400 });
  const script = join(directory, 'entrypoint.sh');
  writeFileSync(script, bashEntrypoint, { mode: 0o755 });
  const hosts = join(directory, 'hosts');
  writeFileSync(
    hosts,
    '127.0.0.1\tlocalhost\n127.0.0.2\tmc-0.flux-service.default.svc.cluster.local\tmc-0\n',
  );
  const env = {
    PATH: `${directory}:/usr/bin:/bin`,
    STAMP: join(directory, 'stamp'),
    CERTIFICATE: certificate,
    DIRECTORY: join(directory, 'bash'),
    POD_HOSTNAME: 'mc-0',
    HOSTS: hosts,
    SIZE: '4',
  };
  const settings = {
    PATH: env.PATH,
    STAMP: env.STAMP,
    JOB_COMPLETION_INDEX: '0',
    FLUX_POD_SIZE: '4',
    FLUX_POD_CLUSTER: 'mc',
    FLUX_POD_SERVICE: 'flux-service',
    FLUX_POD_NAMESPACE: 'default',
    FLUX_POD_ADDRESS: '127.0.0.2',
    FLUX_POD_CURVE_CERT: certificate,
    FLUX_POD_DIR: join(directory, 'flux-pod'),
    FLUX_POD_LOG_LEVEL: 'silent',
  };
  return {
    fluxPod: { command: [join(installOnHost(), 'flux-pod'), 'run', '--', 'hostname'], env: settings },
    bash: { command: [script, 'hostname'], env },
    node: {
      command: [
        join(installOnHost(), 'node'),
        '-e',
        `require('node:child_process').spawn('flux', ['broker'])`,
      ],
      env,
    },
  };
}

/**
 * The least that a script has to do for the same files: it reads the same facts off the pod (index, Service and domain,
 * address, CPU limit), checks nothing and says nothing.
 */
const bashEntrypoint = `#!/bin/bash
set -e
cluster=\${POD_HOSTNAME%-*}
last=$((SIZE - 1))
read -r address fqdn _ < <(grep -w "$POD_HOSTNAME" "$HOSTS")
mkdir -p "$DIRECTORY/run"
cp "$CERTIFICATE" "$DIRECTORY/curve.cert"
chmod 600 "$DIRECTORY/curve.cert"
if [ -r /sys/fs/cgroup/cpu.max ]; then
  read -r quota period </sys/fs/cgroup/cpu.max
elif [ -r /sys/fs/cgroup/cpu/cpu.cfs_quota_us ]; then
  quota=$(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us) period=$(cat /sys/fs/cgroup/cpu/cpu.cfs_period_us)
fi
resources=--local
[ "\${quota:-max}" = max ] || [ "$quota" -lt 0 ] || resources=--cores=0-$((quota / period - 1))
flux R encode --hosts="$cluster-[0-$last]" $resources >"$DIRECTORY/R"
cat >"$DIRECTORY/broker.toml" <<EOT
[bootstrap]
curve_cert = "$DIRECTORY/curve.cert"
default_port = 8050
default_bind = "tcp://$address:%p"
default_connect = "tcp://%h.\${fqdn#*.}:%p"
hosts = [{ host = "$cluster-[0-$last]" }]
[tbon]
topo = "custom"
connect_timeout = "5s"
[resource]
path = "$DIRECTORY/R"
EOT
exec flux broker --config-path="$DIRECTORY/broker.toml" -Srundir="$DIRECTORY/run" \\
  -Slocal-uri="local://$DIRECTORY/run/local" -Sbroker.quorum="$SIZE" -Slog-stderr-mode=local "$@"
`;

/** Each start is the first of a container: to replace a file is slower than to make one (ext4(5), auto_da_alloc). */
function millisecondsToBroker({ command, env }: Way, directory: string): number {
  const stamp = join(directory, 'stamp');
  for (const made of ['stamp', 'bash', 'flux-pod'])
    rmSync(join(directory, made), { recursive: true, force: true });
  const [program = '', ...args] = command;
  const startedAt = performance.timeOrigin + performance.now();
  const { status, stderr } = spawnSync(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  return Number(readFileSync(stamp, 'utf8')) * 1000 - startedAt;
}

function spread(values: readonly number[], digits: number): string[] {
  const sorted = [...values].sort((a, b) => a - b);
  return [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].map((value) =>
    (value ?? 0).toFixed(digits),
  );
}
