/** What the rendered objects are called, and the labels that distinguish them. */
export const namesOf = (name: string, headlessName = name) => ({
  job: name,
  /** The headless Service: the pods' `subdomain`. The Operator's default is the cluster's name as well. */
  service: headlessName,
  curveSecret: `${name}-curve`,
  scripts: `${name}-scripts`,
  /** The claim of `spec.flux.stateVolume`. */
  stateClaim: `${name}-state`,
  httpService: `${name}-http`,
  apiService: `${name}-api`,
  /** The pod of `spec.services`: its hostname too, which the Operator's examples use. */
  services: `${name}-services`,
});

/** The label of every pod of a MiniCluster, its services included. */
export const clusterLabel = 'flux-pod/minicluster';
/** The labels that the Job controller gives its pods (Kubernetes 1.27 and 1.28). */
export const jobNameLabel = 'batch.kubernetes.io/job-name';
export const indexLabel = 'batch.kubernetes.io/job-completion-index';
/** The Operator's own label of pods, which its affinity rules and people's selectors use. */
export const appLabel = 'app.kubernetes.io/name';

/** The Deployment of the controller, and the label app.kubernetes.io/name of its pods. */
export const controllerName = 'flux-pod-controller';

/** An annotation of a MiniCluster: flux-pod's own image for its pods. */
export const installerAnnotation = 'flux-pod/image-installer';
/** `none` where the container's image has flux-pod itself. */
export const installerOf = (image: string): string | undefined => (image === 'none' ? undefined : image);

/** RFC 1035 label: what a Service's name must be, since it becomes the name of variables. */
const serviceName = /^[a-z]([a-z0-9-]*[a-z0-9])?$/;
const longestLabel = 63;

/** Why a name does not serve as a Service's, or undefined. */
export function refuseServiceName(name: string): string | undefined {
  if (!serviceName.test(name))
    return 'expected a DNS label that begins with a letter (a-z, 0-9 and inner hyphens)';
  return name.length > longestLabel
    ? `has ${name.length} characters: expected at most ${longestLabel}`
    : undefined;
}

/** Why a cluster cannot have this name, or undefined: pods are NAME-INDEX, and hostnames end at 63 characters. */
export function refuseClusterName(name: string, largestSize: number): string | undefined {
  const wrong = refuseServiceName(name.slice(0, longestLabel));
  if (wrong) return `${wrong}, not ${JSON.stringify(name)}`;
  const longest = [`${name}-${largestSize - 1}`, `${name}-services`].reduce((a, b) =>
    b.length > a.length ? b : a,
  );
  if (longest.length <= longestLabel) return undefined;
  const most = longestLabel - (longest.length - name.length);
  return `has ${name.length} characters: expected at most ${most}, so that "${longest}" stays within the ${longestLabel} of a hostname`;
}
