/** What benchmarks have a pod's own Flux do. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from '../support/bed/pod.ts';
import { installFluxPod } from '../support/project/flux-pod.ts';

/** Runs a script with the pod's Flux. Resolves to its output; throws what it wrote to stderr where it fails. */
export async function inside(pod: Pod, script: string): Promise<string> {
  const { code, stdout, stderr } = await pod.exec([
    'bash',
    '-ec',
    `eval "$(${installFluxPod()}/flux-pod env)"; ${script}`,
  ]);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

const mib = 1024 * 1024;
/** What Flux writes in seconds. */
const writtenMib = 16;

/**
 * Two jobs write 16 MiB each in lines of 1,000 bytes, and the second one gets the blobs of both, again and again: the same to read as if they
 * were others, because no cache of the agent keeps two so large ones. `mebibytes` is a multiple of 32. Resolves to that job.
 */
export async function writeOutput(pod: Pod, mebibytes: number): Promise<string> {
  const line = 'x'.repeat(999);
  const job = await inside(
    pod,
    String.raw`for job in 1 2; do
       flux submit --quiet --wait sh -c 'yes ${line} | head -c ${writtenMib * mib}'
       key=$(flux job id --to=kvs $(flux job last)).guest.output
       blobs=$blobs$comma$(flux kvs get --treeobj $key | sed 's/.*\[\(.*\)\].*/\1/') comma=,
     done
     all=$blobs; for more in $(seq 2 ${mebibytes / writtenMib / 2}); do all=$all,$blobs; done
     echo "{\"ver\":1,\"type\":\"valref\",\"data\":[$all]}" > /tmp/tree
     flux kvs put --treeobj "$key=$(cat /tmp/tree)"
     flux job last`,
  );
  // The broker keeps for 10 s what it has just written.
  await delay(15_000);
  return job.trim();
}
