#!/bin/sh
# Makes the code cache beside flux-pod.cjs by running a pod whose "flux" does nothing, so that the cache holds just what
# the way to the broker runs. To be done with the Node.js that will run it: `make-cache.sh DIRECTORY [NODE]`.
set -eu
directory=$(cd "$1" && pwd)
node=${2:-node}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$node" "$directory/flux-pod.cjs" keygen "$scratch/curve.cert"
env -i PATH="$PATH" FLUX_POD_MAKE_CACHE="$directory/flux-pod.cache" JOB_COMPLETION_INDEX=0 FLUX_POD_SIZE=2 \
  FLUX_POD_CLUSTER=cache FLUX_POD_SERVICE=cache FLUX_POD_NAMESPACE=cache FLUX_POD_ADDRESS=127.0.0.1 \
  FLUX_POD_PORT=1 FLUX_POD_CURVE_CERT="$scratch/curve.cert" FLUX_POD_DIR="$scratch/run" FLUX_POD_FLUX=/bin/true \
  FLUX_POD_MAX_SIZE=3 FLUX_POD_LOG_LEVEL=silent "$node" "$directory/cached.cjs" run -- true
