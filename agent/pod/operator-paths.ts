/**
 * Where the Flux Operator has its things in a pod (flux-operator pkg/flux/view.go, pkg/flux/templates/wait.sh,
 * controllers/flux/volumes.go). `flux.container.mountPath` moves /mnt/flux, but not what its init container writes below /mnt/flux/config.
 */
export const operatorPaths = {
  /** The mount of the ConfigMap with its scripts. */
  scripts: '/flux_operator',
  certificate: '/flux_operator/curve.cert',
  hostlist: '/mnt/flux/config/etc/flux/system/hostlist',
  brokerToml: '/mnt/flux/config/etc/flux/config/broker.toml',
  /** The broker's local socket: `-Slocal-uri` in wait.sh. */
  socket: '/mnt/flux/config/run/flux/local',
  /** What wait.sh leaves as its last act. */
  complete: '/mnt/flux/flux-operator-complete.txt',
} as const;
