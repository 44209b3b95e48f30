import { flagName, settingNames, settings } from '../../agent/config/settings.ts';
import { ExitCode, PodError } from '../../agent/errors.ts';
import { parseVerbArguments } from '../arguments.ts';
import { jobIds, type Verb, verbs } from '../verbs.ts';

type Words = readonly string[] | typeof jobIds;

/** A flag as completion knows it. */
interface CompletedFlag {
  readonly long: string;
  readonly short?: string | undefined;
  /** Its values; empty where there is one that cannot be listed, such as a file; undefined where it takes none. */
  readonly values?: Words | undefined;
}

interface CompletedVerb {
  readonly name: string;
  readonly flags: readonly CompletedFlag[];
  readonly words: Words;
}

const flagsOf = ({ flags, settings: own = [] }: Verb): CompletedFlag[] => [
  ...Object.entries(flags).map(
    ([long, { short, type, choices, value }]): CompletedFlag => ({
      long,
      short,
      values: type === 'boolean' ? undefined : value === 'ID' ? jobIds : (choices ?? []),
    }),
  ),
  ...own.map((long) => {
    const name = settingNames.find((candidate) => flagName(candidate) === long);
    return { long, values: (name && settings[name].choices) ?? [] };
  }),
];

const completed: readonly CompletedVerb[] = [
  ...Object.entries(verbs).map(([name, verb]) => ({ name, flags: flagsOf(verb), words: verb.words ?? [] })),
  { name: 'help', flags: [], words: Object.keys(verbs) },
  { name: 'version', flags: [], words: [] },
];
const names = completed.map(({ name }) => name).join(' ');

/** Prints the ids of jobs, and nothing where neither a broker nor an API is. */
const listJobs = (program: string): string =>
  `${program} jobs --all 2>/dev/null | sed -n 's/^\\(f[^ ]*\\) .*/\\1/p'`;

const dashed = ({ long, short }: CompletedFlag): string[] => [
  `--${long}`,
  ...(short === undefined ? [] : [`-${short}`]),
];

/** The branches of a `case "VERB FLAG"`, and then of VERB alone: `write` makes the line for some words. */
function branches(write: (words: string) => string, program: string, nothing: string): string {
  const line = (words: Words, more: readonly string[] = []): string =>
    write([...(words === jobIds ? [`$(${listJobs(program)})`] : words), ...more].join(' '));
  const lines = completed.flatMap(({ name, flags, words }) => [
    ...flags.flatMap((flag) =>
      flag.values === undefined
        ? []
        : [
            `    ${dashed(flag)
              .map((text) => `"${name} ${text}"`)
              .join('|')}) ${flag.values.length === 0 ? nothing : line(flag.values)} ;;`,
          ],
    ),
    `    "${name} "*) ${line(words, flags.flatMap(dashed))} ;;`,
  ]);
  return lines.join('\n');
}

const scripts: Readonly<Record<string, () => string>> = {
  bash: () => `# eval "$(flux-pod completion bash)"
_flux_pod() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} i
  if [ "$COMP_CWORD" = 1 ]; then COMPREPLY=($(compgen -W "${names}" -- "$word")); return; fi
  # Behind -- is a COMMAND. In --flag=value the = is a word of its own.
  for ((i = 2; i < COMP_CWORD; i++)); do [ "\${COMP_WORDS[i]}" != -- ] || return; done
  [ "$before" != = ] || before=\${COMP_WORDS[COMP_CWORD-2]}
  [ "$word" != = ] || word=
  case "\${COMP_WORDS[1]} $before" in
${branches((words) => `COMPREPLY=($(compgen -W "${words}" -- "$word"))`, `"\${COMP_WORDS[0]}"`, 'return')}
  esac
}
complete -o default -F _flux_pod flux-pod
`,
  zsh: () => `#compdef flux-pod
# eval "$(flux-pod completion zsh)"
_flux_pod() {
  if (( CURRENT == 2 )); then compadd ${names}; return; fi
  if (( \${words[(i)--]} < CURRENT )); then _normal; return; fi
  case "$words[2] $words[CURRENT-1]" in
${branches((words) => `compadd -- ${words}`, '$words[1]', '_files')}
  esac
}
compdef _flux_pod flux-pod
`,
  fish: () => `# flux-pod completion fish | source
complete -c flux-pod -f -n __fish_use_subcommand -a '${names}'
${completed
  .flatMap(({ name, flags, words }) => {
    const line = `complete -c flux-pod -n '__fish_seen_subcommand_from ${name}'`;
    const listed = (some: Words) =>
      some === jobIds ? `-a "(${listJobs('flux-pod')})"` : `-a '${some.join(' ')}'`;
    return [
      ...flags.map(({ long, short, values }) =>
        [
          line,
          `-l ${long}`,
          ...(short === undefined ? [] : [`-s ${short}`]),
          ...(values === undefined ? [] : values.length === 0 ? ['-r'] : ['-x', listed(values)]),
        ].join(' '),
      ),
      ...(words.length > 0 ? [`${line} -f ${listed(words)}`] : []),
    ];
  })
  .join('\n')}
`,
};

/** `flux-pod completion bash|zsh|fish`: what makes that shell complete verbs, flags, their values, and ids of jobs. */
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
