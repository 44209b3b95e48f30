import { kubectl } from './kubectl.ts';
import type { Place } from './minicluster.ts';

/** Runs a shell command as root in a pod that has `directory` of the node, made if need be, as /on-node: the kubelet makes it for root. */
export async function onNode(
  { namespace, image }: Pick<Place, 'namespace' | 'image'>,
  directory: string,
  command: string,
): Promise<void> {
  const name = `write${directory.replaceAll('/', '-')}`;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: {
      restartPolicy: 'Never',
      containers: [
        {
          name: 'write',
          image,
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', command],
          securityContext: { runAsUser: 0 },
          volumeMounts: [{ name: 'on-node', mountPath: '/on-node' }],
        },
      ],
      volumes: [{ name: 'on-node', hostPath: { path: directory, type: 'DirectoryOrCreate' } }],
    },
  };
  await kubectl(['apply', '-f', '-'], JSON.stringify(pod));
  await kubectl([
    'wait',
    '-n',
    namespace,
    '--for=jsonpath={.status.phase}=Succeeded',
    `pod/${name}`,
    '--timeout=60s',
  ]);
}
