/**
 * The verbs of flux-pod, in the order of the help. Each is a row in a file of its own, which is loaded when it is needed: what `run` does
 * not use must not cost it time. What it does use is imported here, and so it is in one file with this one (build/write-chunks.ts).
 */
import { parseVerbArguments } from './command-line/arguments.ts';
import { run } from './verbs/agent/run.ts';
import type { Verb, Verbs } from './verbs/verb.ts';

export const verbs = {
  run: async () => run,
  attach: async () => (await import('./verbs/agent/attach.ts')).attach,
  probe: async () => (await import('./verbs/pod/probe.ts')).probe,
  status: async () => (await import('./verbs/pod/status.ts')).status,
  shell: async () => (await import('./verbs/pod/shell.ts')).shell,
  env: async () => (await import('./verbs/pod/env.ts')).env,
  release: async () => (await import('./verbs/pod/release.ts')).release,
  doctor: async () => (await import('./verbs/pod/doctor.ts')).doctor,
  config: async () => (await import('./verbs/pod/config.ts')).config,
  keygen: async () => (await import('./verbs/setup/keygen.ts')).keygen,
  render: async () => (await import('./verbs/setup/render.ts')).render,
  controller: async () => (await import('./verbs/setup/controller.ts')).controller,
  install: async () => (await import('./verbs/setup/install.ts')).install,
  submit: async () => (await import('./verbs/jobs/submit.ts')).submit,
  jobs: async () => (await import('./verbs/jobs/jobs.ts')).jobs,
  logs: async () => (await import('./verbs/jobs/logs.ts')).logs,
  cancel: async () => (await import('./verbs/jobs/cancel.ts')).cancel,
  completion: async () => (await import('./verbs/setup/completion.ts')).completion,
  demo: async () => (await import('./verbs/setup/demo.ts')).demo,
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
  return verb.run(parseVerbArguments(name, args, { ...verb.settings, ...verb.flags }, verb.takes), loadVerbs);
}
