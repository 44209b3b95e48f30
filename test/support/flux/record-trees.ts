/** `node test/support/flux/record-trees.ts`: records anew how a real Flux describes its trees. */
import { writeFileSync } from 'node:fs';
import { realFlux } from '../project/flux-pod.ts';
import { askInstance, recordedSpecs, treesFile } from './flux-tree.ts';

const flux = realFlux();
if (!flux) throw new Error('There is no flux on PATH or in /opt/flux/bin to record');
const lines: string[] = [];
for (const { uri, size } of recordedSpecs) {
  const described = await askInstance(flux.onHost, [`--test-size=${size}`, `-Stbon.topo=${uri}`]);
  lines.push(JSON.stringify({ uri, size, described }));
}
writeFileSync(treesFile, `${lines.join('\n')}\n`);
