import { describe, expect, it } from 'vitest';
import { ExitCode, PodError } from '../../agent/errors.ts';
import { runVerb } from '../../entrypoint/verbs.ts';

describe('flux-pod controller', () => {
  it.each([
    ['--minicluster mc', /--minicluster needs one --namespace/],
    ['--minicluster mc --namespace a --namespace b', /--minicluster needs one --namespace/],
    ['--minicluster Mc --namespace a', /--minicluster "Mc" is no name of a MiniCluster/],
    ['--manifest --namespace a', /--manifest is of one MiniCluster/],
    ['--namespace A', /--namespace "A" is no name of a namespace/],
    ['--cleanup-after soon', /--cleanup-after soon: expected whole seconds/],
  ])('refuses %s', async (line, why) => {
    const error = await runVerb('controller', line.split(' ')).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PodError);
    expect(error).toMatchObject({ exitCode: ExitCode.usage, message: expect.stringMatching(why) });
  });
});
