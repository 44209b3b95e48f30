import { describe, expect, it } from 'vitest';
import {
  environmentOf,
  fluxContainerOf,
  type GivenSpec,
  manifest,
  render,
  warningsOf,
} from '../../../support/manifests/miniclusters.ts';

/** What `flux-pod run` is told: COMMAND, FLUX_POD_MODE and FLUX_POD_TASKS. */
function told(spec: GivenSpec, container: GivenSpec): { command: string[]; mode?: string; tasks?: string } {
  const fluxContainer = fluxContainerOf(render(spec, container));
  const command = fluxContainer.command ?? [];
  const { FLUX_POD_MODE: mode, FLUX_POD_TASKS: tasks } = environmentOf(fluxContainer);
  const run = command.indexOf('run');
  return {
    command: command.slice(command[run + 1] === '--' ? run + 2 : run + 1),
    ...(mode !== undefined && { mode }),
    ...(tasks !== undefined && { tasks }),
  };
}

const lmp = 'lmp -v x 2 -in in.reaxc';
const words = lmp.split(' ');

describe('what the instance runs', () => {
  it.each<[string, GivenSpec, GivenSpec, ReturnType<typeof told>]>([
    [
      'a command is one job of one task',
      {},
      { command: lmp },
      { command: words, mode: 'submit', tasks: '1' },
    ],
    [
      'a command is one job of so many tasks',
      { tasks: 8 },
      { command: lmp },
      { command: words, mode: 'submit', tasks: '8' },
    ],
    ['no tasks mean one a node', { tasks: 0 }, { command: lmp }, { command: words, mode: 'submit' }],
    [
      'a command with the syntax of a shell goes to bash, and the kubelet leaves it as it is',
      {},
      { command: 'echo $HOME $(hostname) > /tmp/$$' },
      { command: ['/bin/bash', '-c', 'echo $HOME $$(hostname) > /tmp/$$$$'], mode: 'submit', tasks: '1' },
    ],
    ['a launcher runs in the instance itself', {}, { command: lmp, launcher: true }, { command: words }],
    [
      'no command leaves the instance to its users',
      {},
      { command: undefined },
      { command: [], mode: 'interactive' },
    ],
    [
      'an interactive instance runs no command',
      { interactive: true },
      { command: lmp },
      { command: [], mode: 'interactive' },
    ],
    [
      'a script is one job',
      { tasks: 4 },
      { command: undefined, commands: { script: 'echo 1\necho 2' } },
      { command: ['/bin/bash', '/etc/flux-pod/scripts/script.sh'], mode: 'submit', tasks: '4' },
    ],
    [
      'option flags, tasks and all make a command line of flux',
      { tasks: 8, flux: { optionFlags: '-o cpu-affinity=per-task' } },
      { command: lmp },
      { command: `flux submit -N 4 -n 8 -o cpu-affinity=per-task --quiet --watch ${lmp}`.split(' ') },
    ],
    [
      'fewer tasks than nodes leave the nodes to the scheduler',
      { tasks: 2, logging: { debug: true } },
      { command: lmp },
      { command: `flux submit -n 2 -vvv --quiet --watch ${lmp}`.split(' ') },
    ],
    [
      'another submit command takes the same flags',
      { flux: { submitCommand: 'flux run' } },
      { command: lmp },
      { command: `flux run -n 1 --quiet --watch ${lmp}`.split(' ') },
    ],
    [
      'a prefix wraps what is submitted',
      {},
      { command: 'a && b', commands: { prefix: 'strace -f' } },
      { command: ['/bin/bash', '-c', "strace -f flux submit -n 1 --quiet --watch /bin/bash -c 'a && b'"] },
    ],
    [
      'a timed launcher is timed as with the Operator',
      { logging: { timed: true } },
      { command: lmp, launcher: true },
      { command: ['/bin/bash', '-c', `/usr/bin/time -f "FLUXTIME fluxsubmit wall time %E" ${lmp}`] },
    ],
    [
      'the lines of a batch are jobs that write where the Operator’s do',
      {},
      { batch: true, command: 'echo 1\n\n# none\n-n 2 echo 2\n' },
      {
        command: [
          '--error=/tmp/fluxout/job-0.err --output=/tmp/fluxout/job-0.out echo 1\n' +
            '--error=/tmp/fluxout/job-3.err --output=/tmp/fluxout/job-3.out -n 2 echo 2',
        ],
        mode: 'batch',
      },
    ],
    [
      'a raw batch is a script',
      {},
      { batch: true, batchRaw: true, command: 'flux submit a\nflux queue idle' },
      { command: ['/bin/bash', '/etc/flux-pod/scripts/batch.sh'] },
    ],
  ])('%s', (_, spec, container, expected) => {
    expect(told(spec, container)).toEqual(expected);
  });

  it.each<[string, GivenSpec, GivenSpec, string]>([
    [
      'a command that interactive leaves out',
      { interactive: true },
      {},
      'spec.containers[0].command is not run',
    ],
    [
      'tasks of a launcher',
      { tasks: 4 },
      { launcher: true },
      'spec.tasks is not used: a launcher submits its own jobs',
    ],
    ['tasks of a batch', { tasks: 4 }, { batch: true }, 'spec.tasks is not used: the jobs of a batch say'],
    [
      'a raw batch that is none',
      {},
      { batchRaw: true },
      'spec.containers[0].batchRaw is not used: batch is not true',
    ],
    [
      'options of a launcher',
      { flux: { optionFlags: '-v' } },
      { launcher: true },
      'spec.flux.optionFlags is not used',
    ],
    [
      'a prefix of a batch',
      {},
      { batch: true, commands: { prefix: 'x' } },
      'spec.containers[0].commands.prefix is not used',
    ],
  ])('warns about %s', (_, spec, container, warning) => {
    expect(warningsOf(render(spec, container)).join('\n')).toContain(warning);
  });

  it('says nothing about tasks that are used', () => {
    expect(render({ tasks: 4 }).warnings).toEqual([]);
    expect(render({ tasks: 4, flux: { optionFlags: '-v' } }).warnings).toEqual([]);
  });

  it('keeps scripts as they were written', () => {
    const script = '#!/usr/bin/env python3\nprint("$HOME")\n';
    const files = manifest(render({}, { command: undefined, commands: { script } }), 'ConfigMap').data;
    expect(files?.['script.sh']).toBe(script);
  });
});
