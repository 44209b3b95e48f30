/** Variables of the pod that jobs do not inherit. */
const ownVariable = /^(FLUX_POD_|FLUX_URI$|JOB_COMPLETION_INDEX$|HOSTNAME$|PWD$|OLDPWD$|SHLVL$|_$)/;

/** The environment that jobs inherit from the pod. */
export const jobEnvironment = (environment: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !ownVariable.test(entry[0]),
    ),
  );
