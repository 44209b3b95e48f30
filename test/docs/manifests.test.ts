import { readFileSync } from 'node:fs';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { restrictedBreaches } from '../../controller/render/pod/pod-security-standard.ts';

/** The Jobs in the YAML of a page. */
const jobsOf = (file: string): Job[] =>
  [...readFileSync(file, 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)]
    .flatMap(([, text = '']) => parseAllDocuments(text).map((document) => document.toJS()))
    .filter((object) => object?.kind === 'Job');

describe.each(['README.md', 'docs/in-a-pod.md', 'docs/getting-started.md'])('the Job of %s', (file) => {
  const [job] = jobsOf(file);
  const pod = job?.spec?.template.spec;

  it('is admitted by the restricted Pod Security Standard', () => {
    if (!pod) throw new Error(`${file} has no Job`);
    expect(restrictedBreaches(pod)).toEqual([]);
  });

  it('lets its user read the certificate, whatever group the image gives it', () => {
    expect(pod?.securityContext?.fsGroup).toBe(pod?.securityContext?.runAsGroup);
  });

  it('does not run a program again that has failed', () => {
    const [container] = pod?.containers ?? [];
    expect(job?.spec?.podFailurePolicy?.rules).toEqual([
      {
        action: 'FailJob',
        onExitCodes: { containerName: container?.name, operator: 'NotIn', values: [69, 137, 143] },
      },
    ]);
  });
});
