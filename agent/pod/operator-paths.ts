/** Where the Flux Operator has its things in a pod (flux-operator pkg/flux/view.go, pkg/flux/templates/wait.sh, controllers/flux/volumes.go). */
export const operatorPaths = {
  /** The broker's local socket: `-Slocal-uri` in wait.sh. */
  socket: '/mnt/flux/config/run/flux/local',
  /** What wait.sh leaves as its last act. */
  complete: '/mnt/flux/flux-operator-complete.txt',
} as const;
