import type { ParsedArguments } from '../../command-line/arguments.ts';
import { loadBundle } from '../../command-line/load-bundle.ts';
import { renderFlags } from '../../command-line/render-flags.ts';
import type { Verb } from '../verb.ts';

/** The exports of render.cjs (render/render-file.ts). */
export interface RenderBundle {
  readonly renderFile: (args: ParsedArguments) => Promise<number>;
}

/** `flux-pod render FILE`: the MiniClusters of FILE as manifests on stdout, and warnings on stderr. */
export const render: Verb = {
  forms: { 'FILE [FLAGS]': 'Kubernetes manifests from a MiniCluster' },
  flags: renderFlags,
  takes: 1,
  examples: [
    'flux-pod render minicluster.yaml | kubectl apply -f -',
    'flux-pod render --secret flux-curve --namespace hpc minicluster.yaml >manifests.yaml',
  ],
  more: `FILE holds one or more MiniClusters of the Flux Operator (flux-framework.org/v1alpha2) as YAML or JSON; - is stdin. For each, an
Indexed Job with its Services, ConfigMap, Secret, NetworkPolicy and PodDisruptionBudgets goes to stdout. Every field is
honoured or named in a warning on stderr; unknown fields are errors.
`,
  run: loadRenderer,
};

/** It is a bundle of its own: no pod renders. A checkout and the installer's image have it. */
async function loadRenderer(args: ParsedArguments): Promise<number> {
  const { renderFile } = loadBundle<RenderBundle>(
    'render.cjs',
    'renderer',
    'The installer image has it, and a checkout of flux-pod after `npm run build`; images of pods and `flux-pod install` leave it out.',
  );
  return renderFile(args);
}
