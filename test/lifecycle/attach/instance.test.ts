import { describe, expect, it } from 'vitest';
import { membershipFrom } from '../../../agent/lifecycle/attach/instance.ts';

const nothing = { hostlist: undefined, hostname: undefined, topo: undefined, parentEndpoint: undefined };

describe('the place of a broker that follows from its attributes', () => {
  it.each([
    [
      'a leader has no parent',
      { rank: 0, size: 4, hostlist: 'mc-[0-3]', topo: 'kary:2' },
      'mc-0',
      undefined,
      2,
    ],
    [
      'a parent with an address keeps its name from the list',
      { rank: 3, size: 4, hostlist: 'mc-[0-3]', topo: 'kary:2', parentEndpoint: 'tcp://10.0.0.5:8050' },
      'mc-3',
      { rank: 1, host: 'mc-1', target: { host: '10.0.0.5', port: 8050 } },
      0,
    ],
    [
      'in a tree of any shape the endpoint tells the parent',
      {
        rank: 3,
        size: 4,
        hostlist: 'mc-[0-3]',
        topo: 'custom',
        parentEndpoint: 'tcp://mc-2.flux.default.svc.cluster.local:8050',
      },
      'mc-3',
      { rank: 2, host: 'mc-2', target: { host: 'mc-2.flux.default.svc.cluster.local', port: 8050 } },
      0,
    ],
    [
      'brokers of one machine have no network between them',
      { rank: 1, size: 2, hostlist: 'vm,vm', topo: 'kary:32', parentEndpoint: 'ipc:///tmp/flux/tbon-0' },
      'vm',
      { rank: 0, host: 'vm', target: { host: 'vm', port: 0 } },
      0,
    ],
    [
      'a topology of a later Flux counts as flat',
      { rank: 1, size: 3, hostlist: 'a,b,c', topo: 'hypercube:3' },
      'b',
      { rank: 0, host: 'a', target: { host: 'a', port: 0 } },
      0,
    ],
    [
      'one that has just started does not know its parent',
      { rank: 1, size: 2, hostname: 'b' },
      'b',
      undefined,
      0,
    ],
    ['a broker that tells next to nothing', { rank: 0, size: 1 }, 'localhost', undefined, 0],
  ])('%s', (_, attributes, host, parent, children) => {
    const membership = membershipFrom({ ...nothing, ...attributes });
    expect({ host: membership.host, parent: membership.parent }).toEqual({ host, parent });
    expect(membership.tree.childrenOf(membership.rank)).toHaveLength(children);
  });
});
