import { execa } from 'execa';

/** The command that reaches the cluster; KUBECONFIG says which one that is. */
const [program = 'kubectl', ...programArguments] = (process.env.KUBECTL ?? 'kubectl').split(' ');

/** Runs kubectl; throws with what it said when it fails. */
export async function kubectl(args: readonly string[], input = ''): Promise<string> {
  const { stdout } = await execa(program, [...programArguments, ...args], { input, timeout: 170_000 });
  return stdout;
}

/** Why there is no cluster to run in, if so. */
export async function clusterUnavailable(): Promise<string | undefined> {
  const asked = await execa(program, [...programArguments, 'get', '--raw', '/readyz'], {
    reject: false,
    timeout: 10_000,
    stdin: 'ignore',
  });
  if (asked.exitCode === 0) return undefined;
  return `\`${program} get --raw /readyz\` says: ${(asked.stderr || asked.shortMessage || '').split('\n').at(-1)}`;
}

/** As much of a pod's status as is looked at here. */
export interface SeenPod {
  readonly metadata: {
    readonly name: string;
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly status: {
    readonly phase: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state: { readonly terminated?: Terminated };
  readonly lastState: { readonly terminated?: Terminated };
}

interface Terminated {
  readonly exitCode: number;
  readonly startedAt: string;
  readonly finishedAt: string;
}

export interface SeenJob {
  readonly status: {
    readonly active?: number;
    readonly succeeded?: number;
    readonly failed?: number;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
    }[];
  };
}
