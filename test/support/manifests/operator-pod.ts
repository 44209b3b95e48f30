/**
 * What the Flux Operator mounts into a pod, and what its init container leaves there, for the two MiniClusters in docs/flux-operator.md.
 * Its scripts are played by shorter ones of our own that do what matters here in the same order, with the same files and options:
 * flux-operator at 0d75cef, pkg/flux/templates/wait.sh and components.sh, pkg/flux/config.go, pkg/flux/view.go.
 */
import type { PodFile } from '../bed/pod-files.ts';

type Kind = 'attach' | 'run';

const config = '/mnt/flux/config';

/** `size` counts the hosts that the configuration names. What starts the program comes last on the leader. */
const kinds = {
  attach: { size: 2, command: 'hostname', pre: '', quorum: '', start: 'flux submit -n1 --quiet --watch' },
  run: {
    size: 3,
    command: 'flux run -N2 hostname',
    pre: 'exec /opt/flux-pod/flux-pod run -- sh -c "$command"',
    quorum: '-Sbroker.quorum=2',
    start: '',
  },
} as const satisfies Record<Kind, unknown>;

const hostsOf = (kind: Kind): string => `mc-[0-${kinds[kind].size - 1}]`;

/** Runs in the container of Flux: the certificate and R, the user's commands, then the broker; a follower tries again after 15 s. */
function waitScript(kind: Kind): string {
  const { command, pre, quorum, start } = kinds[kind];
  return `#!/bin/sh
viewbase="/mnt/flux"
export PATH=$PATH:$viewbase/view/bin
command="${command}"
curvesrc=/flux_operator/curve.cert
mkdir -p ${config}/curve
cp $curvesrc ${config}/curve/curve.cert
chmod 600 ${config}/curve/curve.cert
flux R encode --hosts="$(cat ${config}/etc/flux/system/hostlist)" --local >${config}/etc/flux/system/R
options="-Scron.directory=${config}/etc/flux/system/cron.d -Stbon.fanout=256 -Srundir=${config}/run/flux \\
  -Sstatedir=${config}/var/lib/flux -Slocal-uri=local://${config}/run/flux/local \\
  -Stbon.connect_timeout=5s ${quorum} \\
  -Slog-stderr-level=6 -Slog-stderr-mode=local"
${pre} 
if [ "$(hostname)" = mc-0 ]; then
  flux start -o --config ${config}/etc/flux/config $options ${start} $command
else
  until flux start -o --config ${config}/etc/flux/config $options; do sleep 15; done
fi
touch $viewbase/flux-operator-complete.txt
`;
}

/** Runs in the init container, which has the Flux view. */
function initScript(kind: Kind): string {
  return `#!/bin/sh
mkdir -p ${config}/etc/flux/system/cron.d ${config}/etc/flux/config ${config}/run/flux ${config}/var/lib/flux
hosts="${hostsOf(kind)}"
echo "$hosts" > ${config}/etc/flux/system/hostlist
cat <<EOT >> ${config}/etc/flux/config/broker.toml
${brokerToml(kind)}EOT
`;
}

const brokerToml = (kind: Kind): string => `[access]
allow-guest-user = true
allow-root-owner = true

[resource]
path = "${config}/etc/flux/system/R"

[bootstrap]
curve_cert = "${config}/curve/curve.cert"
default_port = 8050
default_bind = "tcp://eth0:%p"
default_connect = "tcp://%h.mc.default.svc.cluster.local:%p"
hosts = [{ host = "${hostsOf(kind)}" }]

[archive]
dbpath = "${config}/var/lib/flux/job-archive.sqlite"
period = "1m"
busytimeout = "50s"

[sched-fluxion-qmanager]
queue-policy = "fcfs"
`;

export const operatorFile = (kind: Kind, name: 'wait-0.sh' | 'flux-init.sh'): string =>
  name === 'wait-0.sh' ? waitScript(kind) : initScript(kind);

/** The files of a pod of one of the MiniClusters. `edit` changes its wait script. */
export function operatorMounts(
  kind: Kind,
  certificate: string,
  edit: (waitScript: string) => string,
): Record<string, PodFile> {
  const directory = { content: '' };
  return {
    '/flux_operator/wait-0.sh': { content: edit(waitScript(kind)), mode: 0o777 },
    '/flux_operator/flux-init.sh': { content: initScript(kind), mode: 0o777 },
    // As ConfigMaps are mounted.
    '/flux_operator/curve.cert': { content: certificate, mode: 0o644 },
    [`${config}/etc/flux/system/hostlist`]: { content: `${hostsOf(kind)}\n` },
    [`${config}/etc/flux/config/broker.toml`]: { content: brokerToml(kind) },
    // Its directories.
    [`${config}/etc/flux/system/cron.d/.keep`]: directory,
    [`${config}/run/flux/.keep`]: directory,
    [`${config}/var/lib/flux/.keep`]: directory,
    '/mnt/flux/view/.keep': directory,
  };
}
