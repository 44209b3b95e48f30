import { expect, it } from 'vitest';
import { statusOf } from '../../agent/health/status.ts';
import { statusTable } from '../../entrypoint/running-pod/status-table.ts';
import { now, podStateOf } from '../support/agent/pod-state.ts';

const table = (demand: object | undefined) => {
  const change = (pod: { demand: unknown }) => {
    pod.demand = demand;
  };
  return statusTable(statusOf(podStateOf({ state: 'run', change }), now), now).split('\n');
};

it('flux-pod status has the demand of the queue where it is known, and the jobs that can never run', () => {
  expect(table(undefined).filter((line) => /^(demand|unfit)/.test(line))).toEqual([]);
  const why = 'it needs 9 nodes, and the instance has at most 8';
  const lines = table({
    ...{ wanted: 6, reason: 'job f2x needs 6 nodes', busy: 2, idle: 1, active: 4 },
    ...{ unfit: [{ id: 'f2y', why }], unfitCount: 3 },
  });
  const found = lines.filter((line) => /^(demand|unfit)/.test(line)).map((line) => line.replace(/ +/, ' '));
  expect(found).toEqual([
    'demand 6 brokers wanted, job f2x needs 6 nodes, jobs up to rank 1, 1 idle',
    `unfit job f2y can never run: ${why}`,
    'unfit and 2 jobs more',
  ]);
  const calm = { wanted: 1, busy: 0, idle: 3, active: 0, unfit: [], unfitCount: 0 };
  expect(table(calm).find((line) => line.startsWith('demand'))).toMatch(
    / 1 brokers wanted, no jobs run, 3 idle$/,
  );
});
