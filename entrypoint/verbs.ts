/** What people are told of each verb: the source of `flux-pod help` and of the shells' completion. */
import { attachFlags, type Flag, settingFlags } from './arguments.ts';
import { configFlags } from './commands/config.ts';
import { demoFlags } from './commands/demo.ts';
import { doctorFlags } from './commands/doctor.ts';
import { jobsFlags } from './commands/jobs.ts';
import { keygenFlags } from './commands/keygen.ts';
import { renderFlags } from './commands/render-flags.ts';
import { shellFlags } from './commands/shell.ts';
import { statusFlags } from './commands/status.ts';
import { submitFlags } from './commands/submit.ts';
import { clientFlags } from './jobs-client.ts';
import { directoryFlags } from './running-pod.ts';

/** What completion asks for where a word is to be a job's id. */
export const jobIds = 'job ids';

export interface Verb {
  /** What stands behind the verb, and what that does. */
  readonly forms: Readonly<Record<string, string>>;
  readonly flags: Readonly<Record<string, Flag>>;
  /** The settings that are flags of it too, by the names of those flags. */
  readonly settings?: readonly string[];
  /** The words that may stand behind it, or `jobIds`. */
  readonly words?: readonly string[] | typeof jobIds;
  /** One to three lines to copy. */
  readonly examples: readonly string[];
  /** What more its own help says. */
  readonly more?: string;
}

const shellLine =
  'COMMAND is executed as it stands; one single word that has white space in it is a line for sh, as in -- "a; b".\n';

export const verbs: Readonly<Record<string, Verb>> = {
  run: {
    forms: {
      '[FLAGS] [-- COMMAND ARG...]': 'the entrypoint: bootstraps, supervises, exits with the outcome',
    },
    flags: {},
    settings: Object.keys(settingFlags),
    examples: [
      'flux-pod run --size 4 -- flux run -N4 hostname',
      'flux-pod run --size 4 --mode submit -- ./a.out',
      'flux-pod run --size 4 --mode interactive',
    ],
    more: shellLine,
  },
  attach: {
    forms: {
      '[--socket PATH] [FLAGS]': 'probes, status and metrics of a broker that another program starts',
    },
    flags: {},
    settings: Object.keys(attachFlags),
    examples: ['flux-pod attach', 'flux-pod attach --socket /mnt/flux/config/run/flux/local'],
  },
  probe: {
    forms: { 'startup|live|ready': 'for an exec probe: exits with 0 or 1 and prints why' },
    flags: directoryFlags,
    words: ['startup', 'live', 'ready'],
    examples: ['flux-pod probe ready'],
  },
  status: {
    forms: { '[--json] [--watch]': 'this pod, its broker, and the tree of brokers below it' },
    flags: statusFlags,
    examples: ['flux-pod status', 'flux-pod status --watch', 'flux-pod status --json'],
  },
  shell: {
    forms: { '[--job ID] [-- COMMAND]': 'a shell, or one command, inside the instance' },
    flags: shellFlags,
    examples: [
      'flux-pod shell',
      'flux-pod shell -- flux resource list',
      'flux-pod shell --job f2qx7SvB -- env',
    ],
    more: shellLine,
  },
  env: {
    forms: { '': 'the environment of flux-pod shell, as export lines' },
    flags: directoryFlags,
    examples: ['eval "$(flux-pod env)"'],
  },
  release: {
    forms: { '': 'ends a failed pod that is held (FLUX_POD_ON_FAILURE=hold)' },
    flags: directoryFlags,
    examples: ['flux-pod release'],
  },
  doctor: {
    forms: { '[--bundle [FILE]]': 'checks what bootstrap needs, and names the remedy' },
    flags: doctorFlags,
    settings: Object.keys(settingFlags),
    examples: ['flux-pod doctor', 'flux-pod doctor --bundle /tmp/bundle.txt'],
  },
  config: {
    forms: { '[--check] [FLAGS]': 'every setting with its source, and the broker.toml' },
    flags: configFlags,
    settings: Object.keys(settingFlags),
    examples: ['flux-pod config', 'flux-pod config --check'],
  },
  keygen: {
    forms: {
      FILE: 'a new CURVE certificate',
      '--secret NAME': 'the same as a Kubernetes Secret manifest',
    },
    flags: keygenFlags,
    examples: ['flux-pod keygen --secret flux-curve | kubectl apply -f -', 'flux-pod keygen curve.cert'],
  },
  render: {
    forms: { 'FILE [FLAGS]': 'Kubernetes manifests from a MiniCluster' },
    flags: renderFlags,
    examples: [
      'flux-pod render minicluster.yaml | kubectl apply -f -',
      'flux-pod render --secret flux-curve --namespace hpc minicluster.yaml >manifests.yaml',
    ],
    more: `FILE holds one or more MiniClusters of the Flux Operator (flux-framework.org/v1alpha2) as YAML or JSON; - is stdin. For each, an
Indexed Job with its Services, ConfigMap, Secret, NetworkPolicy and PodDisruptionBudgets goes to stdout. Every field is
honoured or named in a warning on stderr; unknown fields are errors.
`,
  },
  install: {
    forms: { DIR: 'copies itself and its Node.js, for images that have none' },
    flags: {},
    examples: ['flux-pod install /mnt/flux-pod'],
    more: 'DIR is a volume of the containers that need flux-pod; they then run DIR/flux-pod.\n',
  },
  submit: {
    forms: { '[FLAGS] -- COMMAND': 'submits a job: in this pod, or through FLUX_POD_API_URL from elsewhere' },
    flags: submitFlags,
    examples: [
      'flux-pod submit --watch -N4 -- hostname',
      'flux-pod submit -n8 -t 30m -- "./prepare && ./a.out"',
      "flux-pod submit --cc 1-1000 -- ./a.out 'in.{cc}'",
    ],
    more: `${shellLine}It prints the job's id. With --watch it prints the job's output, says why the job ended, and exits with its exit code.\n`,
  },
  jobs: {
    forms: { '[--all] [--search TEXT]': 'lists active jobs' },
    flags: jobsFlags,
    examples: ['flux-pod jobs', 'flux-pod jobs --state FAILED,TIMEOUT', 'flux-pod jobs --search lammps'],
    more: 'INFO says why a job waits, or why it ended without success.\n',
  },
  logs: {
    forms: { ID: "a job's output until it ends; exits with the job's exit code" },
    flags: clientFlags,
    words: jobIds,
    examples: ['flux-pod logs f2qx7SvB'],
  },
  cancel: {
    forms: { 'ID...': 'cancels jobs' },
    flags: clientFlags,
    words: jobIds,
    examples: ['flux-pod cancel f2qx7SvB'],
  },
  completion: {
    forms: { 'bash|zsh|fish': 'completion for that shell' },
    flags: {},
    words: ['bash', 'zsh', 'fish'],
    examples: ['eval "$(flux-pod completion bash)"', 'flux-pod completion fish | source'],
    more: 'Job ids are asked for where a broker or FLUX_POD_API_URL is.\n',
  },
  demo: {
    forms: { '[--size N] [-- COMMAND]': 'a MiniCluster on this machine, without Kubernetes or root' },
    flags: demoFlags,
    examples: ['flux-pod demo', 'flux-pod demo --web', 'flux-pod demo --size 8 -- flux run -N8 hostname'],
    more: 'It is part of a checkout. Images and installations have no demo.\n',
  },
};
