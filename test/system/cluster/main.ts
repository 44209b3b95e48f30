/**
 * `npm run test:cluster [-- [--by-resource] SCENARIO...]`: MiniClusters on a real Kubernetes, and a table of what came of them. They are rendered
 * by `flux-pod render` and applied with kubectl; with --by-resource the controller is installed, and kubectl applies the MiniClusters themselves.
 * Everything happens in a namespace of its own, which enforces the restricted Pod Security Standard and is deleted afterwards.
 *
 *     KUBECTL          the command that reaches the cluster (default: kubectl, with its KUBECONFIG)
 *     FLUX_IMAGE       an image with Flux that the nodes have or can pull (default: the Dockerfile's)
 *     INSTALLER_IMAGE  the Dockerfile's target `installer` (default: what `flux-pod render` takes)
 *     CONTROLLER_ARGS  more flags of the controller, such as `--user image`
 *     CRASH_CONTROLLER a shell command that kills the controller in the pod $POD with SIGKILL, and fails where it finds none
 *     HOLD_API_SERVER  a shell command that keeps the API server from answering for a minute
 *     OPERATOR_EXAMPLES  examples/tests of flux-framework/flux-operator; without it they are left out
 *     IMAGES           IMAGE=OTHER,...: images of those examples (ubuntu:noble, the Flux views, nginx) that the nodes have under another name
 */
import { readFileSync } from 'node:fs';
import { readPairs } from '../../../agent/api/routes/read-pairs.ts';
import packageJson from '../../../package.json' with { type: 'json' };
import { installController } from './by-resource/controller.ts';
import { resourceScenarios } from './by-resource/resource-scenarios.ts';
import { clusterUnavailable, kubectl } from './kubectl.ts';
import type { Finding } from './scenario.ts';
import { scenarios as everyWay } from './scenarios.ts';

const wanted = process.argv.slice(2).filter((word) => word !== '--by-resource');
const byResource = process.argv.includes('--by-resource');
const scenarios = byResource ? { ...everyWay, ...resourceScenarios } : everyWay;
const defaultImage = /^ARG FLUX_IMAGE=(.+)$/m.exec(readFileSync('Dockerfile', 'utf8'))?.[1] ?? '';
const place = {
  namespace: `flux-pod-test-${process.pid}`,
  image: process.env.FLUX_IMAGE ?? defaultImage,
  installer: process.env.INSTALLER_IMAGE ?? `flux-pod-installer:${packageJson.version}`,
  images: imagesOf(process.env.IMAGES),
  operatorExamples: process.env.OPERATOR_EXAMPLES,
  byResource,
};

const unknown = wanted.filter((name) => !Object.hasOwn(scenarios, name));
const unavailable = await clusterUnavailable();
if (unknown.length > 0) {
  console.error(
    `There is no scenario ${unknown.join(', ')}: expected some of ${Object.keys(scenarios).join(', ')}`,
  );
  process.exitCode = 64;
} else if (unavailable) {
  console.warn(
    `SKIPPED: no Kubernetes to run in: ${unavailable}. Set KUBECONFIG, and KUBECTL where kubectl is called otherwise.`,
  );
} else {
  process.exitCode = (await runAll()) ? 0 : 1;
}

function imagesOf(text: string | undefined): Readonly<Record<string, string>> {
  const images = readPairs(text);
  if (typeof images === 'string') throw new Error(`IMAGES ${images}: expected IMAGE=OTHER,...`);
  return images;
}

async function runAll(): Promise<boolean> {
  await kubectl(['create', 'namespace', place.namespace]);
  await kubectl(['label', 'namespace', place.namespace, 'pod-security.kubernetes.io/enforce=restricted']);
  console.log(`namespace ${place.namespace}, image ${place.image}, installer ${place.installer}`);
  const findings: Finding[] = [];
  const uninstall = byResource
    ? await installController(place.installer, process.env.CONTROLLER_ARGS?.split(' '))
    : undefined;
  const removeNamespace = async () => {
    await kubectl(['delete', 'namespace', place.namespace, `--wait=${byResource}`]);
    await uninstall?.();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => removeNamespace().finally(() => process.exit(1)));
  try {
    for (const [name, scenario] of Object.entries(scenarios)) {
      if (wanted.length > 0 && !wanted.includes(name)) continue;
      const find = (claim: string, holds: boolean, seen: string) => {
        findings.push({ claim, holds, seen });
        console.log(`${holds ? 'yes' : 'NO '}  ${claim.padEnd(88)}  ${seen}`);
      };
      await scenario(place, find).catch((error: unknown) =>
        find(`${name} can be carried out`, false, `${error}`),
      );
    }
  } finally {
    await removeNamespace();
  }
  const failed = findings.filter(({ holds }) => !holds).length;
  console.log(`${findings.length - failed} passed, ${failed} failed`);
  return failed === 0;
}
