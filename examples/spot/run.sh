#!/bin/sh
# The program of the MiniCluster, on its leader: tasks 1 to 100, each until it has succeeded once.
set -eu
tasks=100

todo() {
  flux jobs --filter=completed --count=0 --no-header --format='{name}' | sort -u >/tmp/done
  seq -f 'task-%g' "$tasks" | sort | comm -23 - /tmp/done
}

for round in 1 2 3 4 5 6 7 8 9 10; do
  todo >/tmp/todo
  echo "round $round: $(wc -l </tmp/todo) of $tasks tasks to do"
  [ -s /tmp/todo ] || exit 0
  # In place of this: your program, with the name of the task as its argument. It fails when some tasks have failed.
  flux bulksubmit --quiet --watch --job-name={} sh -c 'sleep 10; echo "$0 is done on $(hostname)"' {} </tmp/todo || true
done
exit 1
