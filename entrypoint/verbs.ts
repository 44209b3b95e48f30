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

export interface Verb {
  /** What stands behind the verb, and what that does. */
  readonly forms: Readonly<Record<string, string>>;
  readonly flags: Readonly<Record<string, Flag>>;
  /** The settings that are flags of it too, by the names of those flags. */
  readonly settings?: readonly string[];
  /** The words that may stand behind it. */
  readonly words?: readonly string[];
  /** What more its own help says. */
  readonly more?: string;
}

export const verbs: Readonly<Record<string, Verb>> = {
  run: {
    forms: { '[FLAGS] [-- COMMAND ARG...]': 'the entrypoint: bootstrap, supervise, end with the outcome' },
    flags: {},
    settings: Object.keys(settingFlags),
  },
  attach: {
    forms: { '[--socket PATH] [FLAGS]': 'probes, status, metrics of a broker that somebody else starts' },
    flags: {},
    settings: Object.keys(attachFlags),
  },
  probe: {
    forms: { 'startup|live|ready': 'for an exec probe: exit 0 or 1, one line why' },
    flags: directoryFlags,
    words: ['startup', 'live', 'ready'],
  },
  status: {
    forms: { '[--json] [--watch]': 'this pod, its broker, the tree below it' },
    flags: statusFlags,
  },
  shell: {
    forms: { '[--job ID] [-- COMMAND]': 'a shell, or one command, inside the instance' },
    flags: shellFlags,
  },
  env: { forms: { '': 'the same as export lines: eval "$(flux-pod env)"' }, flags: directoryFlags },
  release: {
    forms: { '': 'lets a failed pod end that is held (FLUX_POD_ON_FAILURE=hold)' },
    flags: directoryFlags,
  },
  doctor: {
    forms: { '[--bundle [FILE]]': 'checks what bootstrap needs and says what to mend' },
    flags: doctorFlags,
    settings: Object.keys(settingFlags),
  },
  config: {
    forms: { '[--check] [FLAGS]': 'every setting with its source, and the broker.toml' },
    flags: configFlags,
    settings: Object.keys(settingFlags),
  },
  keygen: {
    forms: {
      FILE: 'a new CURVE certificate',
      '--secret NAME': 'the same as a Kubernetes Secret manifest',
    },
    flags: keygenFlags,
  },
  render: {
    forms: { 'FILE [FLAGS]': 'Kubernetes manifests from a MiniCluster' },
    flags: renderFlags,
    more: `  flux-pod render minicluster.yaml | kubectl apply -f -

FILE holds one or more MiniClusters of the Flux Operator (flux-framework.org/v1alpha2) as YAML or JSON; - is stdin. For each, an
Indexed Job with its Services, ConfigMap, Secret, NetworkPolicy and PodDisruptionBudgets goes to stdout. Every field is
honoured or named in a warning on stderr; unknown fields are errors.
`,
  },
  install: {
    forms: { DIR: 'copies itself and its Node.js, for images that have none' },
    flags: {},
    more: 'DIR is a volume that the containers mount which need flux-pod; they then run DIR/flux-pod.\n',
  },
  submit: {
    forms: { '[FLAGS] -- COMMAND': 'a job: in this pod, or through FLUX_POD_API_URL from elsewhere' },
    flags: submitFlags,
  },
  jobs: { forms: { '[--all] [--search TEXT]': 'what waits and runs' }, flags: jobsFlags },
  logs: { forms: { ID: 'what a job writes, until it ends' }, flags: clientFlags },
  cancel: { forms: { 'ID...': 'ends jobs' }, flags: clientFlags },
  completion: {
    forms: { 'bash|zsh|fish': 'completion for that shell' },
    flags: {},
    words: ['bash', 'zsh', 'fish'],
    more: '  eval "$(flux-pod completion bash)"          bash and zsh\n  flux-pod completion fish | source           fish\n',
  },
  demo: {
    forms: { '[--size N] [-- COMMAND]': 'a MiniCluster on this machine, without Kubernetes or root' },
    flags: demoFlags,
  },
};
