/**
 * The directories of a Flux view below its prefix, by the variable that lists them: the broker, the scripts of a rendered pod and
 * flux-view.sh all read this table. Spack gives each package a prefix of its own and links their files into one view, so that flux-core
 * itself finds neither Python's packages nor what flux-sched installs: py-runner.py of flux-core imports cffi, modhash.c looks for
 * modules in FLUX_MODULE_PATH, and bindings/python/flux/modprobe.py appends `rc1.d` to each entry of FLUX_RC_EXTRA, and `modprobe.d` and
 * `rc1.d` to each of FLUX_MODPROBE_PATH_APPEND (flux-environment(7)).
 *
 * A `*` stands for the rest of a name; directories that do not exist are left out.
 */
export const viewPaths = {
  PATH: ['bin'],
  PYTHONPATH: ['lib/python3*/site-packages', 'lib64/python3*/site-packages'],
  FLUX_EXEC_PATH: ['libexec/flux/cmd'],
  FLUX_MODULE_PATH: ['lib/flux/modules', 'lib64/flux/modules'],
  FLUX_RC_EXTRA: ['etc/flux'],
  FLUX_MODPROBE_PATH_APPEND: ['share/flux/modprobe', 'libexec/flux/modprobe', 'etc/flux/modprobe'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type ViewVariable = keyof typeof viewPaths;
export const viewVariables = Object.keys(viewPaths) as readonly ViewVariable[];

/** The variables through which the scheduler of a view, Fluxion, replaces Flux's own. */
export const schedulerVariables = [
  'FLUX_RC_EXTRA',
  'FLUX_MODPROBE_PATH_APPEND',
] as const satisfies readonly ViewVariable[];
