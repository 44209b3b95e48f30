import { ExitCode, PodError } from '../../agent/errors.ts';
import { parseVerbArguments } from '../arguments.ts';
import { verbs } from '../verbs.ts';

/** What may stand behind each verb. */
const wordsOf: readonly (readonly [verb: string, flags: readonly string[], words: readonly string[]])[] = [
  ...Object.entries(verbs).map(
    ([name, { flags, settings = [], words = [] }]) =>
      [name, [...Object.keys(flags), ...settings], words] as const,
  ),
  ['help', [], Object.keys(verbs)],
  ['version', [], []],
];
const names = wordsOf.map(([verb]) => verb).join(' ');

const dashed = (flags: readonly string[]): string => flags.map((flag) => `--${flag}`).join(' ');

const scripts: Readonly<Record<string, () => string>> = {
  bash: () => `# eval "$(flux-pod completion bash)"
_flux_pod() {
  local word=\${COMP_WORDS[COMP_CWORD]}
  if [ "$COMP_CWORD" = 1 ]; then COMPREPLY=($(compgen -W "${names}" -- "$word")); return; fi
  case \${COMP_WORDS[1]} in
${wordsOf
  .map(
    ([verb, flags, words]) =>
      `    ${verb}) COMPREPLY=($(compgen -W "${[...words, dashed(flags)].join(' ')}" -- "$word")) ;;`,
  )
  .join('\n')}
  esac
}
complete -o default -F _flux_pod flux-pod
`,
  zsh: () => `#compdef flux-pod
# eval "$(flux-pod completion zsh)"
_flux_pod() {
  if (( CURRENT == 2 )); then compadd ${names}; return; fi
  case $words[2] in
${wordsOf
  .map(([verb, flags, words]) => `    ${verb}) compadd -- ${[...words, dashed(flags)].join(' ')} ;;`)
  .join('\n')}
  esac
}
compdef _flux_pod flux-pod
`,
  fish: () => `# flux-pod completion fish | source
complete -c flux-pod -f -n __fish_use_subcommand -a '${names}'
${wordsOf
  .flatMap(([verb, flags, words]) => [
    ...flags.map((flag) => `complete -c flux-pod -n '__fish_seen_subcommand_from ${verb}' -l ${flag}`),
    ...(words.length > 0
      ? [`complete -c flux-pod -f -n '__fish_seen_subcommand_from ${verb}' -a '${words.join(' ')}'`]
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
