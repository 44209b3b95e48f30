/**
 * The API of one pod with real Flux, each row beside another way to the same end, in rounds: `npm run bench -- api [ROW...]`. CPU is that of the
 * pod's processes, which depends less on what else the machine does than time.
 */
import { agentProc, heldKb } from '../../support/bed/agent-process.ts';
import { bedUnavailable, createBed } from '../../support/bed/bed.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { realFlux } from '../../support/project/flux-pod.ts';
import { row } from '../table.ts';
import { lists } from './lists.ts';
import { output } from './output.ts';
import { loadNow, startPod } from './pod.ts';
import { submissions } from './submissions.ts';

/** On one pod, one after the other. */
const rows: Readonly<Record<string, (pod: Pod) => Promise<void>>> = { submissions, output, lists };

export async function api(): Promise<void> {
  const unavailable = bedUnavailable();
  const flux = realFlux();
  if (unavailable || !flux) return console.log(`api: SKIPPED, ${unavailable ?? 'there is no real flux'}`);
  await using bed = await createBed();
  const pod = await startPod(bed, flux);
  const wanted = process.argv.slice(3);
  for (const [name, measure] of Object.entries(rows)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    console.log(`\n${name}, one pod, the machine's load is ${loadNow()}`);
    await measure(pod);
    const held = (what: 'VmRSS' | 'VmHWM') => (heldKb(agentProc(pod), what) / 1024).toFixed(0);
    console.log(row('agent, RSS, now and at most', [held('VmRSS'), held('VmHWM')]));
  }
  await pod.kill();
}
