import { expect, it } from 'vitest';
import { everyFlux } from '../support/flux-pod.ts';
import { readRecordings, recordFlux } from '../support/recording.ts';
import { shapesOf } from '../support/shape.ts';

it.each(everyFlux())('$name answers as the real Flux that was recorded', async (flux) => {
  expect(shapesOf(await recordFlux(flux))).toEqual(shapesOf(readRecordings()));
});
