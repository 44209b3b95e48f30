/**
 * The verbs of flux-pod, in the order of the help. Each is a row in a file of its own, which is loaded when it is needed: what `run` does
 * not use must not cost it time.
 */
import type { Verb, Verbs } from './verb.ts';

export const verbs = {
  run: async () => (await import('./commands/run.ts')).run,
  attach: async () => (await import('./commands/attach.ts')).attach,
  probe: async () => (await import('./commands/probe.ts')).probe,
  status: async () => (await import('./commands/status.ts')).status,
  shell: async () => (await import('./commands/shell.ts')).shell,
  env: async () => (await import('./commands/env.ts')).env,
  release: async () => (await import('./commands/release.ts')).release,
  doctor: async () => (await import('./commands/doctor.ts')).doctor,
  config: async () => (await import('./commands/config.ts')).config,
  keygen: async () => (await import('./commands/keygen.ts')).keygen,
  render: async () => (await import('./commands/render.ts')).render,
  install: async () => (await import('./commands/install.ts')).install,
  submit: async () => (await import('./commands/submit.ts')).submit,
  jobs: async () => (await import('./commands/jobs.ts')).jobs,
  logs: async () => (await import('./commands/logs.ts')).logs,
  cancel: async () => (await import('./commands/cancel.ts')).cancel,
  completion: async () => (await import('./commands/completion.ts')).completion,
  demo: async () => (await import('./commands/demo.ts')).demo,
} as const satisfies Readonly<Record<string, () => Promise<Verb>>>;

export type VerbName = keyof typeof verbs;

export const isVerb = (word: string): word is VerbName => Object.hasOwn(verbs, word);

/** All rows, for help, manual page and completion. */
export async function loadVerbs(): Promise<Verbs> {
  const rows = Object.entries(verbs).map(async ([name, load]) => [name, await load()] as const);
  return Object.fromEntries(await Promise.all(rows));
}

/** Resolves to the exit code. Throws a PodError (exit 64) for arguments that the verb does not take. */
export async function runVerb(name: VerbName, args: readonly string[]): Promise<number> {
  const verb: Verb = await verbs[name]();
  const { parseVerbArguments } = await import('./arguments.ts');
  return verb.run(parseVerbArguments(name, args, { ...verb.settings, ...verb.flags }, verb.takes), loadVerbs);
}
