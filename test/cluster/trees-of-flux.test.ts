/** Trees as a real Flux has described them, which test/system/bed/cluster-against-flux.test.ts compares with the Flux that is there. */
import { expect, it } from 'vitest';
import { createTopology, parseTopology } from '../../agent/cluster/topology.ts';
import { describeTree, readTrees, recordedSpecs } from '../support/flux/flux-tree.ts';

const trees = readTrees();

it('are recorded of every scheme, for small sizes and large', () => {
  expect(trees.map(({ uri, size }) => ({ uri, size }))).toEqual(
    recordedSpecs.map(({ uri, size }) => ({ uri, size })),
  );
});

it.each(trees)('agree for $uri of size $size', ({ uri, size, described }) => {
  expect(describeTree(createTopology(parseTopology(uri), size))).toEqual(described);
});
