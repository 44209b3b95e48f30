import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { fluxContainerOf, render } from '../support/manifests/miniclusters.ts';

/** A probe of a pod's container, written in one line. */
const probesOf = (page: string): string[] =>
  readFileSync(`docs/${page}`, 'utf8')
    .split('\n')
    .filter((line) => /^\s*\w+Probe: \{ httpGet/.test(line));

it.each(['getting-started.md', 'probes.md'])(
  '%s gives probes the time that `flux-pod render` gives them',
  (page) => {
    const probes = probesOf(page);
    expect(probes).toHaveLength(3);
    const { timeoutSeconds } = fluxContainerOf(render()).livenessProbe ?? {};
    for (const probe of probes) expect(probe).toContain(`timeoutSeconds: ${timeoutSeconds}`);
  },
);

it('getting-started asks for the CPU that `flux-pod render` asks for', () => {
  const { cpu } = fluxContainerOf(render()).resources?.requests ?? {};
  expect(readFileSync('docs/getting-started.md', 'utf8')).toContain(`requests: { cpu: ${cpu} }`);
});
