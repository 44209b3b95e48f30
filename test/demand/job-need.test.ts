import { describe, expect, it } from 'vitest';
import { type JobNeed, needOf, shapeOf, unknownConstraint, updateNeed } from '../../agent/demand/job-need.ts';
import { jobspecOf } from '../../agent/jobs/jobspec.ts';

const need = (parts: Partial<JobNeed>): JobNeed => ({
  ...{ nodes: 0, slots: 1, cores: 1, gpus: 0, exclusive: false, constraint: undefined, queue: undefined },
  ...parts,
});
const core = (count: unknown = 1) => ({ type: 'core', count });
const slot = (count: unknown, ...inner: object[]) => ({ type: 'slot', count, label: 'task', with: inner });
const node = (count: unknown, ...inner: object[]) => ({ type: 'node', count, with: inner });
const jobspec = (resources: unknown, system: object = {}) => ({
  version: 1,
  resources,
  attributes: { system: { duration: 0, ...system } },
});

describe('the need of a jobspec', () => {
  it.each<[string, unknown, Partial<JobNeed>]>([
    ['one core', [slot(1, core())], {}],
    ['slots anywhere', [slot(5, core(2))], { slots: 5, cores: 2 }],
    ['slots with GPUs', [slot(3, core(4), { type: 'gpu', count: 2 })], { slots: 3, cores: 4, gpus: 2 }],
    ['nodes', [node(4, slot(2, core(3)))], { nodes: 4, slots: 2, cores: 3 }],
    ['exclusive nodes', [{ ...node(2, slot(1, core())), exclusive: true }], { nodes: 2, exclusive: true }],
    [
      'exclusive slots, each of which takes a node',
      [{ ...slot(3, core()), exclusive: true }],
      { nodes: 3, exclusive: true },
    ],
    [
      'what lies above the nodes, which multiplies them',
      [{ type: 'rack', count: 2, with: [node(3, slot(1, core()))] }],
      { nodes: 6 },
    ],
    [
      'an unknown kind between node and core',
      [node(1, { type: 'socket', count: 2, with: [slot(2, core(2))] })],
      { nodes: 1, slots: 2, cores: 2 },
    ],
    [
      'a range of nodes',
      [node({ min: 2, max: 8, operator: '+', operand: 1 }, slot(1, core()))],
      { nodes: 2 },
    ],
    ['a range as text', [node('3-8:2:*', slot(1, core()))], { nodes: 3 }],
    ['an open range', [node('2+', slot(1, core()))], { nodes: 2 }],
    ['an idset', [node('[2,4]', slot(1, core()))], { nodes: 2 }],
    ['counts that are none', [slot(-3, core('many'))], {}],
    ['no resources', 'none', {}],
  ])('with %s is read as the schedulers of flux-core read it', (_, resources, parts) => {
    expect(needOf(jobspec(resources))).toEqual(need(parts));
  });

  it('of a job in simple terms is what the terms say', () => {
    const job = {
      command: ['true'],
      nodes: 2,
      tasks: 8,
      coresPerTask: 2,
      gpusPerTask: 1,
      exclusive: true,
      queue: 'batch',
    };
    const given = jobspecOf(job, { environment: {}, directory: '/' });
    expect(needOf(given)).toEqual(
      need({ nodes: 2, slots: 4, cores: 2, gpus: 1, exclusive: true, queue: 'batch' }),
    );
  });

  it.each([undefined, null, 7, [], {}, { resources: {} }, { resources: [null, 1] }])(
    'of %j is that of one core',
    (nothing) => {
      expect(needOf(nothing)).toEqual(need({}));
    },
  );

  it('of resources that nest without end is read as far as the schedulers do', () => {
    let inner: object = core(8);
    for (let depth = 0; depth < 10_000; depth++) inner = { type: 'x', count: 1, with: [inner] };
    expect(needOf(jobspec([inner]))).toEqual(need({}));
  });
});

describe('constraints and queue', () => {
  it('are part of the need', () => {
    const constraints = { properties: ['big'] };
    expect(needOf(jobspec([slot(1, core())], { constraints, queue: 'batch' }))).toEqual(
      need({ constraint: constraints, queue: 'batch' }),
    );
    expect(needOf(jobspec([slot(1, core())], { constraints: {} }))).toEqual(need({}));
  });

  it('count as unknown where the constraint is long', () => {
    const constraints = { hostlist: ['x'.repeat(2000)] };
    expect(needOf(jobspec([slot(1, core())], { constraints })).constraint).toBe(unknownConstraint);
  });

  it('are replaced by an update, and other updates change nothing', () => {
    const before = needOf(jobspec([node(2, slot(1, core()))], { constraints: { ranks: ['0'] }, queue: 'a' }));
    expect(
      updateNeed(before, {
        'attributes.system.queue': 'b',
        'attributes.system.constraints': { properties: ['p'] },
      }),
    ).toEqual({ ...before, queue: 'b', constraint: { properties: ['p'] } });
    expect(updateNeed(before, { 'attributes.system.constraints': {} })).toEqual({
      ...before,
      constraint: undefined,
    });
    expect(updateNeed(before, { 'attributes.system.duration': 60 })).toEqual(before);
  });
});

describe('the shape of a need', () => {
  it('is the same for the same need, and another for each other', () => {
    const needs = [
      ...[
        need({}),
        need({ nodes: 1 }),
        need({ slots: 2 }),
        need({ cores: 2 }),
        need({ gpus: 1 }),
        need({ exclusive: true }),
      ],
      ...[
        need({ queue: 'a' }),
        need({ constraint: { ranks: ['0'] } }),
        need({ constraint: { ranks: ['1'] } }),
      ],
    ];
    expect(new Set(needs.map(shapeOf)).size).toBe(needs.length);
    expect(needs.map((one) => shapeOf(structuredClone(one)))).toEqual(needs.map(shapeOf));
  });
});
