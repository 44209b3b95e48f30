/** `node test/support/flux/record-flux.ts && npm run format`: records a real Flux anew into test/flux/recordings/. */
import { realFlux } from '../project/flux-pod.ts';
import { recordFlux, writeRecordings } from './recording.ts';

const flux = realFlux();
if (!flux) throw new Error('There is no flux on PATH or in /opt/flux/bin to record');
const recordings = await recordFlux(flux);
writeRecordings(recordings);
for (const { topic, exchanges } of recordings) console.log(`${topic}: ${exchanges.length} exchanges`);
