import { execa } from 'execa';
import { customResourceDefinition } from '../../../../controller/install/custom-resource.ts';
import { manifests, usualValues } from '../../../../controller/install/manifests.ts';
import { kubectl } from '../kubectl.ts';

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

export interface Lease {
  /** POD_ID; empty where no replica has it. */
  readonly holder: string;
  /** Changes while a replica leads. */
  readonly renewed: string;
}

export async function readLease(): Promise<Lease> {
  const path = 'jsonpath={.spec.holderIdentity} {.spec.renewTime}';
  const lease = await kubectl(['get', 'lease', 'flux-pod-controller', '-n', namespace, '-o', path]);
  const [holder = '', renewed = ''] = lease.split(' ');
  return { holder, renewed };
}

const leadingController = async (): Promise<string> => (await readLease()).holder.replace(/_\d+$/, '');

/**
 * Ends the controller that leads without a word: CRASH_CONTROLLER, a shell command that kills the process in the pod $POD with SIGKILL. Without
 * it the pod is deleted by force, upon which the kubelet may leave it a moment.
 */
export async function crashController(): Promise<void> {
  const pod = await leadingController();
  const { CRASH_CONTROLLER: crash } = process.env;
  if (crash) await execa('sh', ['-c', crash], { env: { POD: pod }, stdin: 'ignore' });
  else await deletePod(pod, '--grace-period=0', '--force');
}

/** In order, as a rollout does. */
export const stopController = async (): Promise<void> => deletePod(await leadingController());

const deletePod = async (pod: string, ...more: readonly string[]): Promise<void> =>
  void (await kubectl(['delete', 'pod', pod, '-n', namespace, '--ignore-not-found', ...more]));
