import { describe, expect, it } from 'vitest';
import { Refusal, sentenceOf } from '../../agent/api/page/api-client.ts';
import { commandText } from '../../agent/api/page/command-text.ts';
import { elapsed } from '../../agent/api/page/format.ts';
import { closerOffset } from '../../agent/api/page/leader-clock.ts';
import { isRunning, runTimeText } from '../../agent/api/page/run-time.ts';
import { readEnvironment } from '../../agent/api/page/views/form-environment.ts';
import { gapsOf } from '../../agent/api/page/views/sample-gaps.ts';
import {
  emptyForm,
  faultsByField,
  formOf,
  type Jobspec,
  jobOf,
} from '../../agent/api/page/views/submit-form.ts';
import type { SimpleJob } from '../../agent/jobs/job-schemas.ts';
import { jobspecOf } from '../../agent/jobs/jobspec.ts';

describe('the environment field of the page', () => {
  it('is a variable a line', () => {
    expect(readEnvironment('A=b\n\n  C=d=e \nEMPTY=\n')).toEqual({ A: 'b', C: 'd=e ', EMPTY: '' });
    expect(readEnvironment(' \n')).toEqual({});
  });

  it.each(['FOO', 'A=b\nFOO', ' = x'])('refuses a line without a name or a value: %j', (text) => {
    expect(() => readEnvironment(text)).toThrow(/^Environment: expected NAME=VALUE, not "(FOO|= x)"\.$/);
  });
});

describe('times on the page', () => {
  it("of a running job are counted from its start by the leader's clock, whatever `runtime` was when it was asked", () => {
    const running = { t_run: 1000, runtime: 0.4 };
    expect([1000.2, 1007.9, 1125].map((now) => runTimeText(running, now))).toEqual([
      '0 s',
      '7 s',
      '2 min 5 s',
    ]);
    expect(isRunning(running)).toBe(true);
  });

  it('of a job that has ended, or not begun, stand still', () => {
    const ended = { t_run: 1000, t_cleanup: 1003.5, runtime: 3.5 };
    expect([1004, 2000].map((now) => runTimeText(ended, now))).toEqual(['3.50 s', '3.50 s']);
    expect([isRunning(ended), isRunning({})]).toEqual([false, false]);
    expect(runTimeText({}, 5)).toBe('');
  });

  it.each([
    [-3, '0 s'],
    [59.9, '59 s'],
    [3600, '1 h'],
    [7384, '2 h 3 min'],
    [180_000, '2 d 2 h'],
  ])('%d seconds are %s', (seconds, text) => expect(elapsed(seconds)).toBe(text));

  it('take the closest bound of the leader’s clock, and start again where a clock was set', () => {
    // An exact sample, then the Date header, which has whole seconds and was 0.7 s old.
    const offsets = [-300_500, -300_000, -300_700].reduce<number | undefined>(closerOffset, undefined);
    expect(offsets).toBe(-300_000);
    expect(closerOffset(-300_000, 20)).toBe(20);
    expect(closerOffset(20, -300_000)).toBe(-300_000);
  });
});

describe('a job that is submitted again', () => {
  const defaults = { environment: { PATH: '/bin' }, directory: '/work' };
  const specOf = (job: SimpleJob) => jobspecOf(job, defaults) as unknown as Jobspec;

  it.each<SimpleJob>([
    { command: 'make && ./a.out "x y"' },
    { command: ['./a.out', "it's", '$HOME', ''] },
    {
      command: 'x',
      name: 'mine',
      nodes: 2,
      tasks: 4,
      coresPerTask: 3,
      gpusPerTask: 1,
      duration: '1.5h',
      cwd: '/tmp',
    },
    { command: 'x', nodes: 2, tasks: 3, exclusive: true, queue: 'batch', options: { verbose: 1 } },
    {
      command: 'x',
      dependencies: ['afterok:f12', { scheme: 'begin-time', value: '5' }],
    },
  ])('is the same job: %j', (job) => {
    const before = specOf(job);
    const again = formOf(before);
    if (!again) throw new Error('there is no form');
    const body = jobOf(again.form, again.kept) as unknown as SimpleJob;
    const after = specOf(body);
    const line = commandText(before.tasks[0]?.command ?? []);
    expect(after).toEqual({
      ...before,
      tasks: [{ ...before.tasks[0], command: ['sh', '-c', line] }],
      attributes: {
        system: { ...before.attributes?.system, job: expect.objectContaining({ name: expect.any(String) }) },
      },
    });
  });

  it('has another name when its command is changed, unless it was given one', () => {
    const name = (job: SimpleJob) => formOf(specOf(job))?.form.name;
    expect([name({ command: 'make all' }), name({ command: 'make all', name: 'mine' })]).toEqual([
      '',
      'mine',
    ]);
  });

  it('is refused where the form cannot say it', () => {
    const spec = specOf({ command: 'x' });
    const slot = { ...spec.resources[0], type: 'slot', count: { min: 1, max: 4 } };
    expect(formOf({ ...spec, resources: [slot] })).toBeUndefined();
    expect(formOf({ ...spec, resources: [...spec.resources, ...spec.resources] })).toBeUndefined();
    expect(formOf({ ...spec, tasks: [...spec.tasks, ...spec.tasks] })).toBeUndefined();
  });
});

describe('what the API finds wrong with a job', () => {
  it('stands at the field that it is about', () => {
    const faults = [
      { where: '/duration', what: 'expected seconds' },
      { where: '/dependencies/1', what: 'expected SCHEME:VALUE' },
      { where: '/environment/A', what: 'expected text' },
      { where: '/environment/B', what: 'expected text' },
      { where: '/queue', what: 'there is none' },
    ];
    expect(faultsByField(faults)).toEqual({
      fields: {
        duration: 'expected seconds',
        dependencies: 'no. 2: expected SCHEME:VALUE',
        environment: 'A: expected text; B: expected text',
      },
      other: [{ where: '/queue', what: 'there is none' }],
    });
  });

  it('is a line of the environment before the API is asked', () => {
    expect(() => jobOf({ ...emptyForm, command: 'x', environment: 'FOO' })).toThrow(
      expect.objectContaining({
        errors: [{ where: '/environment', what: 'expected NAME=VALUE, not "FOO"' }],
      }),
    );
  });

  it('is shown without the general sentence', () => {
    const errors = [{ where: '/targets', what: 'expected text' }];
    expect(sentenceOf(new Refusal(422, 'The body is not what was expected.', errors))).toBe(
      'targets: expected text',
    );
    const confirm = new Refusal(422, 'Nothing was done.', [{ where: '/confirm', what: 'expected mc' }]);
    expect(sentenceOf(confirm)).toBe('Nothing was done. confirm: expected mc');
  });
});

describe('gaps between samples', () => {
  it('are the times when no page was open', () => {
    expect(gapsOf([2, 4, 6, 60, 62].map((time) => ({ time })))).toEqual([{ from: 6, to: 60 }]);
    expect(gapsOf([])).toEqual([]);
  });
});
