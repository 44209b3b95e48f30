import { describe, expect, it } from 'vitest';
import { jobspecOf } from '../../agent/jobs/jobspec.ts';

const defaults = { environment: { PATH: '/bin' }, directory: '/work' };

describe('a jobspec', () => {
  it('is what `flux submit` makes of the same', () => {
    const job = {
      command: ['echo', 'hi'],
      nodes: 2,
      tasks: 4,
      coresPerTask: 3,
      gpusPerTask: 1,
      duration: '5m',
      name: 'x',
      cwd: '/tmp',
      environment: { A: 'b' },
      dependencies: ['afterany:f12', { scheme: 'begin-time', value: '5' }],
    };
    expect(jobspecOf(job, defaults)).toEqual({
      version: 1,
      resources: [
        {
          type: 'node',
          count: 2,
          with: [
            {
              type: 'slot',
              count: 2,
              label: 'task',
              with: [
                { type: 'core', count: 3 },
                { type: 'gpu', count: 1 },
              ],
            },
          ],
        },
      ],
      tasks: [{ command: ['echo', 'hi'], slot: 'task', count: { per_slot: 1 } }],
      attributes: {
        system: {
          duration: 300,
          cwd: '/tmp',
          environment: { PATH: '/bin', A: 'b' },
          job: { name: 'x' },
          dependencies: [
            { scheme: 'afterany', value: 'f12' },
            { scheme: 'begin-time', value: '5' },
          ],
        },
      },
    });
  });

  it.each([
    ['make && ./a.out', 'make'],
    ['  /usr/bin/python3 run.py', 'python3'],
    ['OMP_NUM_THREADS=4 A="b c" ./lmp -in x', 'lmp'],
    ['# a comment\n\n(cd /tmp; ls)', 'cd'],
    ['"/opt/my tool/bin/go on" x', 'go on'],
    ['hostname|sort', 'hostname'],
    ['A=b', undefined],
    ['', undefined],
  ])('of a line for sh has the name of the program that it begins with: %j', (command, name) => {
    const { attributes } = jobspecOf({ command }, defaults) as { attributes: { system: { job?: object } } };
    expect(attributes.system.job).toEqual(name === undefined ? undefined : { name });
  });

  it('counts tasks as a whole where the nodes do not divide them', () => {
    expect(jobspecOf({ command: 'x', nodes: 2, tasks: 3 }, defaults)).toMatchObject({
      resources: [{ count: 2, with: [{ count: 2 }] }],
      tasks: [{ command: ['sh', '-c', 'x'], count: { total: 3 } }],
    });
  });

  it.each([
    [{ nodes: 4, tasks: 2 }, /^tasks: /],
    [{ exclusive: true }, /^exclusive: /],
  ])('is refused where it does not go together: %j', (job, message) => {
    expect(() => jobspecOf({ command: 'x', ...job }, defaults)).toThrow(message);
  });
});
