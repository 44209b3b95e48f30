import { KubeConfig } from '@kubernetes/client-node';
import { ExitCode, messageOf, PodError } from '../../agent/errors.ts';

/** Of the pod's service account, else of KUBECONFIG or ~/.kube/config. Throws a PodError (exit 78), which has nothing of the file: it has secrets. */
export function loadKubeConfig(): KubeConfig {
  const config = new KubeConfig();
  try {
    config.loadFromDefault();
  } catch (error) {
    // js-yaml's message shows the lines around the fault; its reason does not.
    const why = error instanceof Error && 'reason' in error ? String(error.reason) : messageOf(error);
    throw new PodError(ExitCode.configuration, `Cannot read the kubeconfig: ${why}`, {
      hint: 'KUBECONFIG names the file, else it is ~/.kube/config. `kubectl config view` reads the same one.',
    });
  }
  if (!config.getCurrentCluster())
    throw new PodError(
      ExitCode.configuration,
      'Cannot find an API server: neither a service account nor a kubeconfig',
      { hint: 'Run it in a pod, or set KUBECONFIG.' },
    );
  return config;
}
