#!/bin/sh
# flux-pod: finds Node.js and runs the agent beside this file. As PID 1 it sees first to what only a PID 1 can do, and
# Node.js cannot: reap the orphans of jobs, whatever their parent was.

case $0 in
  */*) self=$0 ;;
  *) self=$(command -v -- "$0") ;;
esac
[ ! -L "$self" ] || self=$(readlink -f -- "$self")
here=${self%/*}

# Node.js beside this file is linked against glibc. Where there is none, as in Alpine, the shell would say only "not found".
glibc=
for loader in /lib*/ld-linux*.so.*; do [ ! -e "$loader" ] || glibc=$loader; done

node=$here/node
# In a checkout, where this file is in dist/, the Node.js that came with the packages: the one on PATH may be too old.
case $here in
  dist | */dist) [ -x "$node" ] || node=$here/../node_modules/.bin/node ;;
esac
[ -x "$node" ] && [ -n "$glibc" ] || node=$(command -v node) || {
  why="put it at $here/node or on PATH"
  [ ! -x "$here/node" ] || why="$here/node needs glibc, which this image has not: install a Node.js 24 of its own"
  echo "flux-pod: cannot find Node.js: $why" >&2
  exit 72
}

program=$here/flux-pod.cjs
[ ! -f "$here/flux-pod.cache" ] || program=$here/cached.cjs

# With a young generation of 2 MiB, the way to the broker needs no garbage collection, and what a burst of probes allocates is freed soon
# rather than kept. (Flags that change how code is compiled would cost Node.js its own code cache, and the start 7 ms: see save-memory.ts.)
flags='--min-semi-space-size=2 --max-semi-space-size=2'
# A SIGUSR1 before the agent takes its signals would open Node's inspector to all containers of the pod. It gets an address at which nothing
# can listen (RFC 5737). --disable-sigusr1 would leave the signal blocked for good, so that the program would not get it either.
flags="$flags --inspect-port=192.0.2.1:9229"

[ "$$" -eq 1 ] || exec "$node" $flags "$program" "$@"

for init in "$(command -v tini)" /sbin/tini /usr/bin/tini /tini; do
  [ ! -f "$init" ] || [ ! -x "$init" ] || exec "$init" -- "$node" $flags "$program" "$@"
done

# No tini: this shell is PID 1. It passes signals on, and its wait reaps every orphan.
# A signal that comes before the child exists waits for it.
child='' early=''
for signal in TERM INT HUP QUIT USR1 USR2; do
  # shellcheck disable=SC2064 # the name is meant to be filled in now
  trap "[ -z \"\$child\" ] && early=\"\$early $signal\" || kill -s $signal \"\$child\" 2>/dev/null" "$signal"
done
# A shell without job control gives a background job /dev/null for its stdin; the real one is kept aside for it.
exec 3<&0
"$node" $flags "$program" "$@" <&3 3<&- &
child=$!
exec 3<&-
for signal in $early; do kill -s "$signal" "$child"; done
# wait ends early when a signal was passed on: only a child that is gone has told its exit code.
while :; do
  wait "$child"
  code=$?
  kill -0 "$child" 2>/dev/null || exit "$code"
done
