/** The policy of the size beside others, on random workloads in virtual time: the table of docs/autoscaling.md. */
import { compare } from '../support/size/compare.ts';

const workloads = 1000;

export async function size(): Promise<void> {
  const { jobs, figures } = compare(workloads);
  console.log(
    `the size of a MiniCluster, ${workloads} workloads with ${jobs} jobs, beyond the offline bound`,
  );
  console.log('| | jobs killed | never ended | node time | wait, mean | wait, p95 | changes an hour |');
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const { name, killed, neverEnded, moreNodeTime, meanWait, p95Wait, changesPerHour } of figures) {
    const cells = [
      ...[killed, neverEnded, `+${(moreNodeTime * 100).toFixed(0)} %`],
      ...[`${meanWait.toFixed(0)} s`, `${p95Wait.toFixed(0)} s`, changesPerHour.toFixed(1)],
    ];
    console.log(`| ${[name, ...cells].join(' | ')} |`);
  }
}
