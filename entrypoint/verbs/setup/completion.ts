import { flagName, settingNames, settings } from '../../../agent/config/settings.ts';
import { ExitCode, PodError } from '../../../agent/errors.ts';
import type { ParsedArguments } from '../../command-line/arguments.ts';
import { jobIds, type Verb, type Verbs } from '../verb.ts';

type Words = readonly string[] | typeof jobIds;

/** A flag, for completion. */
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

const flagsOf = ({ flags, settings: own = {} }: Verb): CompletedFlag[] => [
  ...Object.entries(flags).map(
    ([long, { short, type, choices, value }]): CompletedFlag => ({
      long,
      short,
      values: type === 'boolean' ? undefined : value === 'ID' ? jobIds : (choices ?? []),
    }),
  ),
  ...Object.keys(own).map((long) => {
    const name = settingNames.find((candidate) => flagName(candidate) === long);
    return { long, values: (name && settings[name].choices) ?? [] };
  }),
];

const completedVerbs = (verbs: Verbs): readonly CompletedVerb[] => [
  ...Object.entries(verbs).map(([name, verb]) => ({ name, flags: flagsOf(verb), words: verb.words ?? [] })),
  { name: 'help', flags: [], words: Object.keys(verbs) },
  { name: 'version', flags: [], words: [] },
];

/** Prints the ids of jobs, and nothing where neither a broker nor an API is. */
const listJobs = (program: string): string =>
  `${program} jobs --all 2>/dev/null | sed -n 's/^\\(f[^ ]*\\) .*/\\1/p'`;

const dashed = ({ long, short }: CompletedFlag): string[] => [
  `--${long}`,
  ...(short === undefined ? [] : [`-${short}`]),
];

/** The branches of a `case "VERB FLAG"`, and then of VERB alone: `write` makes the line for some words. */
function branches(
  completed: readonly CompletedVerb[],
  write: (words: string) => string,
  program: string,
  nothing: string,
): string {
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

type Script = (completed: readonly CompletedVerb[], names: string) => string;

const scripts = {
  bash: (completed, names) => `# eval "$(flux-pod completion bash)"
_flux_pod() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} i
  if [ "$COMP_CWORD" = 1 ]; then COMPREPLY=($(compgen -W "${names}" -- "$word")); return; fi
  # Behind -- is a COMMAND. In --flag=value the = is a word of its own.
  for ((i = 2; i < COMP_CWORD; i++)); do [ "\${COMP_WORDS[i]}" != -- ] || return; done
  [ "$before" != = ] || before=\${COMP_WORDS[COMP_CWORD-2]}
  [ "$word" != = ] || word=
  case "\${COMP_WORDS[1]} $before" in
${branches(completed, (words) => `COMPREPLY=($(compgen -W "${words}" -- "$word"))`, `"\${COMP_WORDS[0]}"`, 'return')}
  esac
}
complete -o default -F _flux_pod flux-pod
`,
  zsh: (completed, names) => `#compdef flux-pod
# eval "$(flux-pod completion zsh)"
_flux_pod() {
  if (( CURRENT == 2 )); then compadd ${names}; return; fi
  if (( \${words[(i)--]} < CURRENT )); then _normal; return; fi
  case "$words[2] $words[CURRENT-1]" in
${branches(completed, (words) => `compadd -- ${words}`, '$words[1]', '_files')}
  esac
}
compdef _flux_pod flux-pod
`,
  fish: (completed, names) => `# flux-pod completion fish | source
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
} as const satisfies Readonly<Record<string, Script>>;

/** `flux-pod completion bash|zsh|fish`: what makes that shell complete verbs, flags, their values, and ids of jobs. */
export const completion: Verb = {
  forms: { 'bash|zsh|fish': 'completion for that shell' },
  flags: {},
  takes: 1,
  words: Object.keys(scripts),
  examples: ['eval "$(flux-pod completion bash)"', 'flux-pod completion fish | source'],
  more: 'Job ids are completed where there is a broker, or FLUX_POD_API_URL is set.\n',
  run: printScript,
};

async function printScript(
  { positionals: [shell = ''] }: ParsedArguments,
  loadVerbs: () => Promise<Verbs>,
): Promise<number> {
  if (!isShell(shell))
    throw new PodError(
      ExitCode.usage,
      `Cannot complete for "${shell}": expected one of ${Object.keys(scripts).join(', ')}`,
    );
  const completed = completedVerbs(await loadVerbs());
  process.stdout.write(scripts[shell](completed, completed.map(({ name }) => name).join(' ')));
  return 0;
}

const isShell = (word: string): word is keyof typeof scripts => Object.hasOwn(scripts, word);
