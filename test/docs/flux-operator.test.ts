import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { environmentName, settingNames } from '../../agent/config/settings.ts';
import { operatorPaths } from '../../agent/pod/operator-paths.ts';
import { kubernetesValidator, miniClusterValidator } from '../support/manifests/kubernetes-schema.ts';
import { operatorFile } from '../support/manifests/operator-pod.ts';
import { haveSharedFixtures, miniClusterSpecSchema } from '../support/manifests/shared-fixtures.ts';

const text = readFileSync('docs/flux-operator.md', 'utf8');
const blocks = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, yaml = '']) => parse(yaml));
const miniClusters = blocks.filter(({ kind }) => kind === 'MiniCluster');
const [attach, run] = miniClusters;

describe('docs/flux-operator.md', () => {
  it.skipIf(!haveSharedFixtures)('has two MiniClusters as the Operator defines them', () => {
    expect(miniClusters).toHaveLength(2);
    const validate = miniClusterValidator();
    expect(miniClusters.flatMap(({ spec }) => validate(spec))).toEqual([]);
    expect(validate({ containers: [{ probes: 1 }], size: 'two' })).toEqual([
      'spec.containers[0].probes: no such field',
      'spec.size: expected an integer, not "two"',
    ]);
  });

  it.skipIf(!haveSharedFixtures)(
    'is right that there is no field for probes, init containers or arguments',
    () => {
      const fields = JSON.stringify(miniClusterSpecSchema());
      expect(fields).not.toMatch(/probe|initContainer|"args"/i);
    },
  );

  it.skipIf(!haveSharedFixtures)('has a pod as Kubernetes defines it', () => {
    const pods = blocks.filter(({ kind }) => kind === 'Pod');
    expect(pods).toHaveLength(1);
    expect(pods.flatMap(kubernetesValidator())).toEqual([]);
  });

  it('has the MiniClusters that the scripts of the tests were made from', () => {
    const [{ command, commands }] = run.spec.containers;
    const script = operatorFile('run', 'wait-0.sh');
    expect(script).toContain(`\ncommand="${command}"\n`);
    expect(script).toContain(`\n${commands.pre} \n`);
    expect(operatorFile('attach', 'wait-0.sh')).toContain(
      `\ncommand="${attach.spec.containers[0].command}"\n`,
    );
    for (const [kind, size] of [['attach', attach.spec.size] as const, ['run', run.spec.maxSize] as const])
      expect(operatorFile(kind, 'flux-init.sh')).toContain(`\nhosts="mc-[0-${size - 1}]"\n`);
  });

  it('names settings that there are', () => {
    const named = [...text.matchAll(/\bFLUX_POD_\w+/g)].map(([name]) => name);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !settingNames.map(environmentName).includes(name))).toEqual([]);
  });
});

describe('the Operator’s files, as the tests lay them out', () => {
  const script = operatorFile('attach', 'wait-0.sh');
  const init = operatorFile('attach', 'flux-init.sh');

  it('are where flux-pod looks for them', () => {
    expect(script).toContain('viewbase="/mnt/flux"\n');
    expect(script).toContain(`-Slocal-uri=local://${operatorPaths.socket} `);
    expect(script).toContain(`curvesrc=${operatorPaths.certificate}\n`);
    expect(script.trimEnd().split('\n').at(-1)).toBe(
      `touch ${operatorPaths.complete.replace('/mnt/flux', '$viewbase')}`,
    );
    expect(init).toContain(`> ${operatorPaths.hostlist}\n`);
    expect(init).toContain(`>> ${operatorPaths.brokerToml}\n`);
  });
});
