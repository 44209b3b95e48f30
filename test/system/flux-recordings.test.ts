import { expect, it } from 'vitest';
import { realFlux } from '../support/flux-pod.ts';
import { readRecordings, recordFlux } from '../support/recording.ts';
import { shapesOf } from '../support/shape.ts';

const flux = realFlux();
if (!flux) console.warn('SKIPPED recordings of the real Flux: there is no flux on PATH or in /opt/flux/bin');
it.skipIf(!flux)('the real Flux answers as it did when it was recorded', async () => {
  if (!flux) return;
  expect(shapesOf(await recordFlux(flux))).toEqual(shapesOf(readRecordings()));
});
