import { ExitCode, PodError } from '../../agent/errors.ts';
import { attachFlags, parseVerbArguments, settingFlags } from '../arguments.ts';
import { clientFlags } from '../jobs-client.ts';
import { submitFlags } from './submit.ts';

/** The flags of each verb, for shells to complete. */
const verbs: Readonly<Record<string, readonly string[]>> = {
  run: Object.keys(settingFlags),
  attach: Object.keys(attachFlags),
  probe: ['dir'],
  status: ['json', 'watch'],
  shell: ['job'],
  env: [],
  release: [],
  doctor: ['bundle'],
  config: ['check', ...Object.keys(settingFlags)],
  keygen: ['secret'],
  render: ['output', 'namespace', 'secret', 'user'],
  submit: Object.keys(submitFlags),
  jobs: ['all', 'state', 'search', 'limit', 'json', ...Object.keys(clientFlags)],
  logs: Object.keys(clientFlags),
  cancel: Object.keys(clientFlags),
  completion: [],
  demo: ['size'],
  help: [],
  version: [],
};
const words: Readonly<Record<string, readonly string[]>> = {
  probe: ['startup', 'live', 'ready'],
  completion: ['bash', 'zsh', 'fish'],
};

const dashed = (flags: readonly string[]): string => flags.map((flag) => `--${flag}`).join(' ');

const scripts: Readonly<Record<string, () => string>> = {
  bash: () => `# eval "$(flux-pod completion bash)"
_flux_pod() {
  local word=\${COMP_WORDS[COMP_CWORD]}
  if [ "$COMP_CWORD" = 1 ]; then COMPREPLY=($(compgen -W "${Object.keys(verbs).join(' ')}" -- "$word")); return; fi
  case \${COMP_WORDS[1]} in
${Object.entries(verbs)
  .map(
    ([verb, flags]) =>
      `    ${verb}) COMPREPLY=($(compgen -W "${[...(words[verb] ?? []), dashed(flags)].join(' ')}" -- "$word")) ;;`,
  )
  .join('\n')}
  esac
}
complete -o default -F _flux_pod flux-pod
`,
  zsh: () => `#compdef flux-pod
# eval "$(flux-pod completion zsh)"
_flux_pod() {
  if (( CURRENT == 2 )); then compadd ${Object.keys(verbs).join(' ')}; return; fi
  case $words[2] in
${Object.entries(verbs)
  .map(([verb, flags]) => `    ${verb}) compadd -- ${[...(words[verb] ?? []), dashed(flags)].join(' ')} ;;`)
  .join('\n')}
  esac
}
compdef _flux_pod flux-pod
`,
  fish: () => `# flux-pod completion fish | source
complete -c flux-pod -f -n __fish_use_subcommand -a '${Object.keys(verbs).join(' ')}'
${Object.entries(verbs)
  .flatMap(([verb, flags]) => [
    ...flags.map((flag) => `complete -c flux-pod -n '__fish_seen_subcommand_from ${verb}' -l ${flag}`),
    ...(words[verb]
      ? [`complete -c flux-pod -f -n '__fish_seen_subcommand_from ${verb}' -a '${words[verb].join(' ')}'`]
      : []),
  ])
  .join('\n')}
`,
};

/** `flux-pod completion bash|zsh|fish`: what makes that shell complete verbs and flags. */
export async function completion(args: readonly string[]): Promise<number> {
  const [shell = ''] = parseVerbArguments('completion', args, {}, 1).positionals;
  const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
  if (!script)
    throw new PodError(
      ExitCode.usage,
      `Cannot complete for "${shell}": expected one of ${Object.keys(scripts).join(', ')}`,
    );
  process.stdout.write(script());
  return 0;
}
