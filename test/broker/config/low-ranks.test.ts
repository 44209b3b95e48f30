import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'smol-toml';
import { afterAll, describe, expect, it } from 'vitest';
import { brokerConfig } from '../../../agent/broker/config/broker-config.ts';
import { lowRanksModule } from '../../../agent/broker/config/low-ranks.ts';
import { findSchedSimple } from '../../../agent/broker/find-scheduler.ts';
import { membershipOf } from '../../../agent/broker/membership.ts';
import { configurationOf, type Given } from '../../support/agent/configuration.ts';

const directory = mkdtempSync(join(tmpdir(), 'low-ranks-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const module = '/run/flux-pod/sched-low-ranks.py';

function tomlOf(set: Given, scheduler: string | undefined = module) {
  const configuration = configurationOf(set);
  return parse(
    brokerConfig(configuration, membershipOf(configuration), '/run/curve.cert', undefined, scheduler),
  );
}
const lowest = {
  'sched-fluxion-resource': { 'match-policy': 'lonode' },
  modules: { 'sched-simple': { module } },
};

describe('the leader of an elastic instance', () => {
  it.each<[string, Given]>([
    ['that grows', { size: 2, maxSize: 4 }],
    ['that starts before all are there', { size: 4, minSize: 1 }],
  ])('%s has the lowest ranks get jobs first', (_, set) => {
    expect(tomlOf(set)).toMatchObject(lowest);
  });

  it('leaves Flux’s own scheduler as it is where that is not written in Python', () => {
    const configuration = configurationOf({ size: 2, maxSize: 4 });
    const toml = parse(brokerConfig(configuration, membershipOf(configuration), '/run/curve.cert'));
    expect(toml).not.toHaveProperty('modules');
    expect(toml).toHaveProperty('sched-fluxion-resource');
  });

  it('leaves what the user’s file says of it', () => {
    const path = join(directory, 'user.toml');
    writeFileSync(
      path,
      '[sched-fluxion-resource]\nmatch-policy = "first"\n[modules.sched-simple]\nmodule = "/mine.py"\nargs = ["queue-depth=4"]\n',
    );
    expect(tomlOf({ size: 2, maxSize: 4, brokerConfig: path })).toMatchObject({
      'sched-fluxion-resource': { 'match-policy': 'first' },
      modules: { 'sched-simple': { module: '/mine.py', args: ['queue-depth=4'] } },
    });
  });
});

it.each<[string, Given]>([
  ['a follower', { size: 2, maxSize: 4, index: 1 }],
  ['an instance of one size', { size: 4 }],
  [
    'an instance whose ranks are pods of several Jobs',
    { size: 2, minSize: 1, hosts: 'mc-[0-1],burst-[0-1]' },
  ],
])('%s has none of that', (_, set) => {
  const toml = tomlOf(set);
  for (const key of Object.keys(lowest)) expect(toml).not.toHaveProperty(key);
});

describe('Flux’s own scheduler', () => {
  const place = (path: string, text = '') => {
    const whole = join(directory, path);
    mkdirSync(dirname(whole), { recursive: true });
    writeFileSync(whole, text);
    return whole;
  };

  it.each([
    ['lib', 'a/lib/flux/modules/sched-simple.py'],
    ['lib64', 'b/lib64/flux/modules/sched-simple.py'],
    ['a multiarch directory', 'c/lib/aarch64-linux-gnu/flux/modules/sched-simple.py'],
  ])('is found in %s beside its flux', (_, path) => {
    const flux = place(`${path[0]}/bin/flux`);
    const found = place(path);
    expect(findSchedSimple(flux)).toBe(found);
  });

  it('is found where flux is a link of a view, and not where it is written in C', () => {
    const real = place('software/flux-core/bin/flux');
    const found = place('software/flux-core/lib/flux/modules/sched-simple.py');
    mkdirSync(join(directory, 'view/bin'), { recursive: true });
    symlinkSync(real, join(directory, 'view/bin/flux'));
    expect(findSchedSimple(join(directory, 'view/bin/flux'))).toBe(found);
    const old = place('old/bin/flux');
    place('old/lib/flux/modules/sched-simple.so');
    expect(findSchedSimple(old)).toBeUndefined();
  });

  it('is run by a module that is Python, whatever its path', () => {
    const text = lowRanksModule('/opt/it\'s "here"/sched-simple.py');
    const file = place('module.py', text);
    execFileSync('python3', ['-c', 'import ast, sys; ast.parse(open(sys.argv[1]).read())', file]);
  });
});
