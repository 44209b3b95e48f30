import { describe, expect, it } from 'vitest';
import { readEnvironment } from '../../agent/config/layers.ts';
import { operatorLayer } from '../../agent/config/operator-layer.ts';
import { resolveConfiguration } from '../../agent/config/resolve.ts';
import type { OperatorLayout } from '../../agent/pod/operator-layout.ts';
import { podFacts } from '../support/bed/pod-facts.ts';

const layout = (change: Partial<OperatorLayout> = {}, script = ''): OperatorLayout => ({
  hostlist: 'mc-[0-3]',
  brokerToml: '[bootstrap]\ndefault_port = 8050\n',
  waitScript: { path: '/flux_operator/wait-0.sh', text: script },
  hasCertificate: true,
  ...change,
});

const nothingIsThere = () => false;

/** The settings as NAME=VALUE, without their sources. */
const read = (given: OperatorLayout, isThere = nothingIsThere) =>
  Object.fromEntries(
    Object.entries(operatorLayer(given, 'mc', isThere)).map(([name, { value }]) => [name, value]),
  );

const quorum =
  '  -Sstatedir=/state -Slocal-uri=local://$configroot/run/flux/local \\\n-Sbroker.quorum=2 \\\n';

describe('the settings that follow from the layout of the Flux Operator', () => {
  it('are as many as a pod of a plain MiniCluster needs', () => {
    expect(read(layout())).toEqual({
      size: 4,
      maxSize: 4,
      port: '8050',
      brokerConfig: '/mnt/flux/config/etc/flux/config/broker.toml',
      curveCert: '/flux_operator/curve.cert',
    });
  });

  it.each<[string, OperatorLayout, Record<string, unknown>]>([
    ['the quorum, where it is less than the hosts', layout({}, quorum), { size: '2', maxSize: 4 }],
    ['another topology', layout({}, '-Stbon.topo=kary:2 \\\n'), { topo: 'kary:2' }],
    ['an instance without a program', layout({}, '-Sbroker.rc2_none  \\\n'), { mode: 'interactive' }],
    ['another port', layout({ brokerToml: 'default_port=9000' }), { port: '9000' }],
    ['one host', layout({ hostlist: 'mc-[0]' }), { size: 1, maxSize: 1 }],
    [
      'hosts of other clusters',
      layout({ hostlist: 'mc-[0-1],burst-0-[0-3]' }),
      { hosts: 'mc-[0-1],burst-0-[0-3]', size: 6 },
    ],
  ])('are also %s', (_, given, settings) => {
    expect(read(given)).toMatchObject(settings);
  });

  it('leave the certificate to a Secret that is mounted, and what is not there to others', () => {
    expect(read(layout(), () => true)).not.toHaveProperty('curveCert');
    const bare = read(layout({ hasCertificate: false, brokerToml: '' }));
    expect(Object.keys(bare)).toEqual(['size', 'maxSize']);
  });

  it('come after what a user sets and what is detected from the pod, and have their source', () => {
    const facts = podFacts({}, { operator: layout({}, quorum) });
    const { layer } = readEnvironment({ FLUX_POD_MAX_SIZE: '8' });
    const { configuration, sources } = resolveConfiguration(facts, [layer], {
      problems: [],
      terminal: false,
    });
    expect(configuration).toMatchObject({ size: 2, minSize: 2, maxSize: 8, service: 'flux-service' });
    expect({
      size: sources.size?.source,
      maxSize: sources.maxSize?.source,
      service: sources.service?.source,
      port: sources.port?.source,
    }).toEqual({
      size: "the Operator's layout (/flux_operator/wait-0.sh)",
      maxSize: 'FLUX_POD_MAX_SIZE',
      service: 'the pod',
      port: "the Operator's layout (/mnt/flux/config/etc/flux/config/broker.toml)",
    });
  });

  it('are refused like any other, by the name of their source', () => {
    const facts = podFacts({}, { operator: layout({}, '-Stbon.topo=hypercube \\\n') });
    expect(() => resolveConfiguration(facts, [], { problems: [], terminal: false })).toThrow(
      /the Operator's layout \(\/flux_operator\/wait-0\.sh\)="hypercube": expected kary:K/,
    );
  });
});
