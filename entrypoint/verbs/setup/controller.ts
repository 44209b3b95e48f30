import { type HostPort, parseHostPort } from '../../../agent/address.ts';
import { ExitCode, PodError } from '../../../agent/errors.ts';
import type { ControllerBundle } from '../../../controller/controller-bundle.ts';
import { isObjectName } from '../../../controller/render/minicluster/field-kinds.ts';
import type { Flags, ParsedArguments } from '../../command-line/arguments.ts';
import { loadBundle } from '../../command-line/load-bundle.ts';
import { defaultInstaller, renderFlags } from '../../command-line/render-flags.ts';
import { extrasOf, imageOf, userOf } from '../../command-line/render-options.ts';
import type { Verb } from '../verb.ts';

const {
  user,
  with: withExtras,
  without,
  'image-installer': installer,
  'image-view': viewImage,
} = renderFlags;

export const controller: Verb = {
  forms: { '[FLAGS]': 'reconciles the MiniClusters of a Kubernetes cluster' },
  flags: {
    namespace: {
      type: 'string',
      short: 'n',
      multiple: true,
      value: 'NAMESPACE',
      meaning: 'watches this namespace; may be repeated (default: all namespaces)',
    },
    minicluster: {
      type: 'string',
      value: 'NAME',
      meaning: 'reconciles this MiniCluster of the namespace alone: a Role in the namespace is enough',
    },
    manifest: {
      type: 'boolean',
      meaning: 'prints what is applied to run it so in the cluster, with --minicluster, and exits',
    },
    'image-installer': installer,
    'image-view': viewImage,
    user,
    with: withExtras,
    without,
    'leader-election': {
      type: 'boolean',
      meaning: 'one of several replicas works, the one that holds the Lease flux-pod-controller',
    },
    'cleanup-after': {
      type: 'string',
      value: 'SECONDS',
      default: '60',
      meaning:
        'a MiniCluster with `cleanup: true` is deleted so long after its end, so that its log can be read (default: 60)',
    },
    http: {
      type: 'string',
      value: 'HOST:PORT',
      default: '0.0.0.0:8053',
      meaning: 'serves /healthz, /readyz and /metrics (default: 0.0.0.0:8053)',
    },
    'log-format': {
      type: 'string',
      value: 'json|text',
      choices: ['json', 'text'],
      default: 'json',
      meaning: 'json (default) or text',
    },
  },
  examples: [
    'flux-pod controller --namespace hpc --log-format text',
    'flux-pod controller --namespace hpc --minicluster lammps --manifest | kubectl apply -f -',
  ],
  more: `It reads MiniClusters (flux-framework.org/v1alpha2), applies the objects that \`flux-pod render\` makes of them, and writes their
status. It uses the service account of its pod, else KUBECONFIG.
`,
  run: loadController,
};

/**
 * Reconciles until SIGTERM or SIGINT, then exits with 0. It is a bundle of its own: an agent, which needs nothing of it, stays small. The
 * installer's image has it.
 */
async function loadController({ flags }: ParsedArguments): Promise<number> {
  const namespaces = namespacesOf(flags);
  const miniCluster = miniClusterOf(flags, namespaces);
  const installer = imageOf(flags, 'image-installer') ?? defaultInstaller;
  const one = flags.manifest === true ? oneMiniCluster(miniCluster, namespaces) : undefined;
  const request = {
    namespaces,
    miniCluster,
    installer,
    viewImage: imageOf(flags, 'image-view'),
    user: userOf(flags.user),
    extras: extrasOf(flags),
    leaderElection: flags['leader-election'] === true,
    cleanupSeconds: secondsOf(flags),
    http: httpOf(flags),
    level: 'info',
    format: flags['log-format'] === 'text' ? 'text' : 'json',
    signal: stopSignal(),
  } as const;
  const { controller: run, manifestForOne } = loadBundle<ControllerBundle>(
    'controller.cjs',
    'controller',
    'The installer image has it (docs/controller.md); images of pods and `flux-pod install` leave it out.',
  );
  if (!one) return run(request);
  process.stdout.write(manifestForOne({ ...one, image: installer }));
  return 0;
}

const usage = (why: string) =>
  new PodError(ExitCode.usage, `Cannot run the controller: ${why}`, {
    hint: '`flux-pod controller --help` explains the flags.',
  });

function namespacesOf({ namespace }: Flags): readonly string[] | undefined {
  if (!Array.isArray(namespace) || namespace.length === 0) return undefined;
  const names = namespace.map(String);
  const wrong = names.find((name) => !isObjectName(name));
  if (wrong !== undefined) throw usage(`--namespace ${JSON.stringify(wrong)} is no name of a namespace`);
  return [...new Set(names)];
}

function miniClusterOf(
  { minicluster }: Flags,
  namespaces: readonly string[] | undefined,
): string | undefined {
  if (minicluster === undefined) return undefined;
  const name = String(minicluster);
  if (!isObjectName(name)) throw usage(`--minicluster ${JSON.stringify(name)} is no name of a MiniCluster`);
  if (namespaces?.length !== 1) throw usage('--minicluster needs one --namespace, that of the MiniCluster');
  return name;
}

/** What --manifest is about. */
function oneMiniCluster(miniCluster: string | undefined, [namespace]: readonly (string | undefined)[] = []) {
  if (miniCluster !== undefined && namespace !== undefined) return { namespace, miniCluster };
  throw usage('--manifest is of one MiniCluster: it needs --minicluster and --namespace');
}

function secondsOf(flags: Flags): number {
  const seconds = Number(flags['cleanup-after']);
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= 31_536_000) return seconds;
  throw usage(`--cleanup-after ${String(flags['cleanup-after'])}: expected whole seconds, at most a year`);
}

function httpOf({ http }: Flags): HostPort {
  const address = parseHostPort(String(http));
  if (address) return address;
  throw usage(`--http ${String(http)}: expected HOST:PORT`);
}

/** The first SIGTERM or SIGINT; a second one has its default action. */
function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());
  return stopping.signal;
}
