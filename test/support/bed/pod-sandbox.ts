/**
 * The shell's part of a pod: from the bed's namespaces to the command as PID 1 of its own. Messages and, at last, the
 * line `pid N` (PID 1 as the host sees it) go to descriptor 3, so that the pod's own output stays clean.
 */

/** What a pod's sandbox is made from. */
export interface SandboxPlan {
  /** The bed's network namespace, which holds the bridge `br0`. */
  bed: string;
  /** The pod's network namespace, to be made. */
  sandbox: string;
  /** The bridge's end of the pod's cable. */
  port: string;
  /** The pod's address with its prefix length. */
  cidr: string;
  hostname: string;
  /** The pod's directory: `files` and `fstab` as writePodFiles and writeRoot left them, and an empty `root`. */
  directory: string;
  env: Record<string, string>;
  command: readonly string[];
}

/** Network namespace and cable on the outside; then everything else, by `unshare`. */
const outside = `
set -e
{
  ip netns add "$SANDBOX"
  ip -n "$BED" -batch - <<BATCH
link add name $PORT type veth peer name eth0 netns $SANDBOX
link set dev $PORT master br0 up
BATCH
  ip -n "$SANDBOX" -batch - <<BATCH
link set dev lo up
link set dev eth0 up
address add $CIDR dev eth0 $NODAD
BATCH
} >&3 2>&3
exec setpriv --pdeathsig KILL nsenter --net="/run/netns/$SANDBOX" \\
  unshare --mount --uts --ipc --pid sh -c "$PARENT" sh "$@"
`;

/**
 * Waits for PID 1, its first child, and ends with its code or 128 + N: unshare --fork of util-linux 2.38 turns every death by a signal
 * into code 1. Should the test runner die, so does this shell, and with it the pod. Its remark "Killed" is not the pod's.
 */
const parent = `
exec 4>&2 2>/dev/null
setpriv --pdeathsig KILL sh -c "$INSIDE" sh "$@"
exit $?
`;

/** As PID 1, still with the host's /proc: that is where it learns its own number there. */
const inside = `
set -e
exec 2>&4 4>&-
{
  read -r pid rest </proc/self/stat
  # Copies of other pods' namespaces in here would keep those alive.
  umount -l /run/netns
  echo "$HOSTNAME_IN_POD" >/proc/sys/kernel/hostname
  cd "$DIRECTORY/root"
  mount -t tmpfs -o mode=755 tmpfs .
  cd "$DIRECTORY/root"
  cp -a ../files/. .
  cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty dev
  mount -n -a -T ../fstab
  pivot_root . old
  umount -n -l old
  rmdir old
  cd /
  echo "pid $pid"
} >&3 2>&3
# A session of its own, as runc gives it, and nothing of this script's environment.
exec setsid env -i "$@" 3>&-
`;

/** The command and its environment; wants descriptor 3 for its messages. */
export function sandboxCommand(plan: SandboxPlan): {
  file: string;
  args: string[];
  env: Record<string, string>;
} {
  const variables = Object.entries(plan.env).map(([name, value]) => `${name}=${value}`);
  return {
    file: 'sh',
    args: ['-c', outside, 'sh', ...variables, ...plan.command],
    env: {
      PATH: toolPath,
      PARENT: parent,
      INSIDE: inside,
      BED: plan.bed,
      SANDBOX: plan.sandbox,
      PORT: plan.port,
      CIDR: plan.cidr,
      // Duplicate address detection takes a second in which the address cannot be used.
      NODAD: plan.cidr.includes(':') ? 'nodad' : '',
      HOSTNAME_IN_POD: plan.hostname,
      DIRECTORY: plan.directory,
    },
  };
}

/** A command inside all of a running pod's namespaces, as `kubectl exec` runs it. */
export function execCommand(pid: number, env: Record<string, string>, command: readonly string[]): string[] {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return [
    'nsenter',
    '--target',
    String(pid),
    '-m',
    '-u',
    '-i',
    '-n',
    '-p',
    'env',
    '-i',
    ...variables,
    ...command,
  ];
}

/**
 * Makes an address swallow TCP, as that of a deleted pod does in a routed cluster network: neither refused nor unreachable.
 * Neighbour discovery still answers, since only the routing of received TCP ends in a black hole (ip-rule(8)).
 */
export const swallowTcp = [
  'rule add pref 10 ipproto tcp blackhole',
  'rule add pref 20 lookup local',
  'rule del pref 0',
];

/** Where ip, mount, unshare and nsenter are. */
export const toolPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
