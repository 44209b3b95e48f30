import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { membershipOf } from '../../../agent/broker/membership.ts';
import {
  formatJson,
  formatYaml,
  isMiniCluster,
  parseDocuments,
} from '../../../controller/render/documents.ts';
import { readMiniCluster } from '../../../controller/render/minicluster/read-minicluster.ts';
import { type Rendering, renderMiniCluster } from '../../../controller/render/render-minicluster.ts';
import { configuredJob } from '../../support/agent/configured-job.ts';
import { podsOf, referenceProblems } from '../../support/manifests/kubernetes-references.ts';
import { kubernetesValidator } from '../../support/manifests/kubernetes-schema.ts';
import { jobOf, usualOptions } from '../../support/manifests/miniclusters.ts';
import { brokenRestrictedRules } from '../../support/manifests/restricted.ts';
import { haveSharedFixtures, operatorExamples } from '../../support/manifests/shared-fixtures.ts';

const fixtures = 'test/controller/render/fixtures';
const own = readdirSync(fixtures).map((name): [string, string] => [
  name,
  readFileSync(`${fixtures}/${name}`, 'utf8'),
]);

/** What an example is refused for; all others render. */
const refused: Readonly<Record<string, RegExp>> = {
  'dist__flux-operator.yaml': /no MiniCluster/,
  'dist__flux-operator-arm.yaml': /no MiniCluster/,
  'elasticity__horizontal-autoscaler__v2-cpu__hpa-cpu.yaml': /no MiniCluster/,
  'elasticity__horizontal-autoscaler__v2-custom-metric__hpa-flux.yaml': /no MiniCluster/,
  'elasticity__horizontal-autoscaler__v2-custom-metric__minicluster.yaml':
    /spec\.containers\[0\]\.existingVolumes: a MiniCluster has no such field any more: write them into/,
  'experimental__bursting__broker-eks__minicluster.yaml': /Map keys must be unique at line 24/,
  'machine-learning__fireworks__minicluster.yaml':
    /spec\.volumes: a MiniCluster has no such field any more: each container/,
  'machine-learning__pytorch__minicluster.yaml':
    /spec\.volumes: a MiniCluster has no such field any more: each container/,
  'machine-learning__ray__scikit-learn__minicluster.yaml':
    /spec\.volumes: a MiniCluster has no such field any more: each container/,
  'machine-learning__tensorflow__minicluster.yaml':
    /spec\.volumes: a MiniCluster has no such field any more: each container/,
  'tests__batch__minicluster.yaml': /spec\.containers\[0\]\.volumes\.data: names nothing to mount/,
};

function renderText(text: string, name: string): Rendering {
  const object = parseDocuments(text, name)
    .map((source) => source.object)
    .find(isMiniCluster);
  if (object === undefined) throw new Error('no MiniCluster');
  return renderMiniCluster(readMiniCluster(object), usualOptions);
}

const examples = [...own, ...operatorExamples().filter(([name]) => !(name in refused))];

describe('an example', () => {
  it.each(examples)(
    '%s renders, under restricted Pod Security unless a warning says what breaks it',
    (name, text) => {
      const { manifests, warnings } = renderText(text, name);
      const broken = podsOf(manifests).flatMap(brokenRestrictedRules);
      const warned = warnings.some(({ why }) => why.includes('restricted Pod Security'));
      expect(warned, broken.join(', ')).toBe(broken.length > 0);
    },
  );

  it.each(examples)('%s is the same in YAML, in either version of it, and in JSON', (name, text) => {
    const { manifests } = renderText(text, name);
    const yaml = formatYaml(manifests);
    for (const version of ['1.1', '1.2'] as const) {
      const read = parseAllDocuments(yaml, { version, schema: version === '1.1' ? 'yaml-1.1' : 'core' });
      expect([...read].map((document) => document.toJS())).toEqual(manifests);
    }
    expect(JSON.parse(formatJson(manifests)).items).toEqual(manifests);
    expect(formatYaml(renderText(text, name).manifests)).toBe(yaml);
  });
});

it.each(examples)(
  '%s runs Flux in the one container of its pods, which has its name: kubectl logs POD -c NAME',
  (name, text) => {
    const { metadata, spec } = jobOf(renderText(text, name));
    expect(spec?.template.spec?.containers.map((container) => container.name)).toEqual([metadata?.name]);
  },
);

it.each(examples)('%s makes pods that flux-pod can configure itself in', (name, text) => {
  expect(membershipOf(configuredJob(jobOf(renderText(text, name)))).rank).toBeGreaterThan(0);
});

describe.skipIf(!haveSharedFixtures)('with the data of the Operator and of Kubernetes', () => {
  const validate = haveSharedFixtures ? kubernetesValidator() : () => [];

  it.each(examples)('%s is valid against the API of Kubernetes 1.32', (name, text) => {
    const { manifests } = renderText(text, name);
    expect(manifests.flatMap(validate)).toEqual([]);
    expect(manifests.flatMap(referenceProblems)).toEqual([]);
  });

  it.each(Object.entries(refused))('%s is refused with the reason', (name, why) => {
    const text = operatorExamples().find(([example]) => example === name)?.[1] ?? '';
    expect(() => renderText(text, name)).toThrow(why);
  });

  it('the validator finds what is wrong', () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      spec: { containers: [{ image: 1, ports: [{}], bogus: 1 }] },
    };
    expect(validate(pod)).toEqual([
      'Pod.spec.containers[0].name: is required',
      'Pod.spec.containers[0].image: expected text, not 1',
      'Pod.spec.containers[0].ports[0].containerPort: is required',
      'Pod.spec.containers[0].bogus: no such field',
    ]);
    expect(validate({ apiVersion: 'v2', kind: 'Pod' })).toEqual(['v2 Pod: no such kind']);
  });
});
