import { execa } from 'execa';
import { customResourceDefinition } from '../../../../controller/install/custom-resource.ts';
import { manifests, usualValues } from '../../../../controller/install/manifests.ts';
import { kubectl } from '../kubectl.ts';
import { until } from '../minicluster.ts';

const { namespace } = usualValues;
const selector = ['-n', namespace, '-l', 'app.kubernetes.io/name=flux-pod-controller'];

/** Installs the controller as `kubectl apply -k controller/install` does, two replicas of it, and waits until it is ready. Returns its removal. */
export async function installController(
  image: string,
  more: readonly string[] = [],
): Promise<() => Promise<void>> {
  const objects = [
    customResourceDefinition(),
    ...manifests({ ...usualValues, image, replicas: 2 }).map((object) => withArguments(object, more)),
  ];
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  await kubectl(['apply', '-f', '-'], list);
  await kubectl(['rollout', 'status', 'deployment', ...selector, '--timeout=120s']);
  return async () => {
    await kubectl(['delete', '--ignore-not-found', '--timeout=120s', '-f', '-'], list);
  };
}

interface Deployment {
  readonly spec: { readonly template: { readonly spec: { readonly containers: [{ args: string[] }] } } };
}

function withArguments(object: object, more: readonly string[]): object {
  if ((object as { kind?: string }).kind !== 'Deployment') return object;
  const copy = structuredClone(object) as Deployment;
  copy.spec.template.spec.containers[0].args.push(...more);
  return copy;
}

/** The process that has the lease, as POD_ID; empty where none has. */
export const leaseHolder = (): Promise<string> =>
  kubectl(['get', 'lease', 'flux-pod-controller', '-n', namespace, '-o', 'jsonpath={.spec.holderIdentity}']);

/** Waits for a replica that leads, and resolves to its pod. */
export async function leadingController(): Promise<string> {
  const leading = await until(60, async () => {
    const pod = (await leaseHolder()).replace(/_\d+$/, '');
    if (pod === '') return undefined;
    return (await kubectl(['get', 'pod', pod, '-n', namespace, '--ignore-not-found'])) === ''
      ? undefined
      : pod;
  });
  if (leading === undefined) throw new Error('no replica of the controller led within 60 s');
  return leading;
}

/**
 * Ends the controller that leads without a word: CRASH_CONTROLLER is a shell command that kills the process in the pod
 * $POD with SIGKILL, and fails where there is none. Its pod is deleted by force as well, since a container that crashes again and again is started
 * later each time; where that is all, the kubelet may leave the process a moment.
 */
export async function crashController(leader?: string): Promise<void> {
  const pod = leader ?? (await leadingController());
  const { CRASH_CONTROLLER: crash } = process.env;
  if (crash) await execa('sh', ['-c', crash], { env: { POD: pod }, stdin: 'ignore' });
  await deletePod(pod, '--grace-period=0', '--force');
}

/** In order, as a rollout does. */
export const stopController = (pod: string): Promise<void> => deletePod(pod);

const deletePod = async (pod: string, ...more: readonly string[]): Promise<void> =>
  void (await kubectl(['delete', 'pod', pod, '-n', namespace, '--ignore-not-found', ...more]));
