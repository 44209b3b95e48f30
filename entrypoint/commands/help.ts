import { attachOnly, attachSettings } from '../../agent/config/attach-settings.ts';
import {
  environmentName,
  flagName,
  type SettingName,
  settingNames,
  settings,
} from '../../agent/config/settings.ts';
import packageJson from '../../package.json' with { type: 'json' };

const usage = `flux-pod ${packageJson.version}: turns the pods of an Indexed Job into one Flux instance

  flux-pod run [FLAGS] [-- COMMAND ARG...]   the entrypoint: bootstrap, supervise, end with the outcome
  flux-pod attach [--socket PATH] [FLAGS]    probes, status, metrics of a broker that somebody else starts
  flux-pod probe startup|live|ready          for an exec probe: exit 0 or 1, one line why
  flux-pod status [--json] [--watch]         this pod, its broker, the tree below it
  flux-pod shell [--job ID] [-- COMMAND]     a shell, or one command, inside the instance
  flux-pod env                               the same as export lines: eval "$(flux-pod env)"
  flux-pod release                           lets a failed pod end that is held (FLUX_POD_ON_FAILURE=hold)
  flux-pod doctor [--bundle]                 checks what bootstrap needs and says what to mend
  flux-pod config [--check] [FLAGS]          every setting with its source, and the broker.toml
  flux-pod keygen FILE                       a new CURVE certificate
  flux-pod keygen --secret NAME              the same as a Kubernetes Secret manifest
  flux-pod render FILE [FLAGS]               Kubernetes manifests from a MiniCluster
  flux-pod install DIR                       copies itself and its Node.js, for images that have none
  flux-pod submit [FLAGS] -- COMMAND         a job: in this pod, or through FLUX_POD_API_URL from elsewhere
  flux-pod jobs [--all] [--search TEXT]      what waits and runs
  flux-pod logs ID                           what a job writes, until it ends
  flux-pod cancel ID...                      ends jobs
  flux-pod completion bash|zsh|fish          completion for that shell
  flux-pod demo [--size N] [-- COMMAND]      a MiniCluster on this machine, without Kubernetes or root

In a pod of an Indexed Job only the size must be given: FLUX_POD_SIZE=4 flux-pod run -- COMMAND
\`flux-pod run --help\` lists the settings.
`;

/** `flux-pod help`, and `--help` behind a verb. */
export async function help([verb]: readonly string[]): Promise<number> {
  if (verb === 'render') {
    const [{ renderHelp }, { defaultInstaller }] = await Promise.all([
      import('./render-help.ts'),
      import('./render.ts'),
    ]);
    process.stdout.write(renderHelp(defaultInstaller));
    return 0;
  }
  const named =
    verb === 'attach' ? attachSettings : settingNames.filter((name) => !attachOnly.includes(name));
  const hasSettings = verb === 'run' || verb === 'config' || verb === 'attach';
  process.stdout.write(hasSettings ? `${usage}\n${settingsHelp(named)}` : usage);
  return 0;
}

export async function version(): Promise<number> {
  process.stdout.write(`${packageJson.version}\n`);
  return 0;
}

function settingsHelp(names: readonly SettingName[]): string {
  const rows = names.map((name) => {
    const { meaning, default: fallback } = settings[name];
    return `  --${flagName(name)}  ${environmentName(name)}\n      ${meaning} (default: ${fallback})\n`;
  });
  return `Settings: a flag, else an environment variable, else /etc/flux-pod/config.toml (--config, FLUX_POD_CONFIG),
else what the pod tells, else the default.

${rows.join('')}`.replaceAll('`', '');
}
