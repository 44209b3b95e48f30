#!/bin/sh
# The program of the MiniCluster, on its leader.
set -eu
mpicc -O2 -o /tmp/heat "$(dirname "$0")/heat.c" -lm
# The pods have no file system in common: each gets a copy, in the job's own directory.
flux archive create --overwrite --name=heat -C /tmp heat
flux run -N4 -n8 -t 10m -o cpu-affinity=per-task -o exit-on-error -o stage-in.names=heat '{{tmpdir}}/heat'
