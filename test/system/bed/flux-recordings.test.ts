import { expect, it } from 'vitest';
import { readRecordings, recordFlux } from '../../support/flux/recording.ts';
import { shapesOf } from '../../support/flux/shape.ts';
import { everyFlux } from '../../support/project/flux-pod.ts';

/** A whole life of three brokers, of which each step has a limit of its own. */
const timeout = 250_000;

it.each(everyFlux())('$name answers as the real Flux that was recorded', { timeout }, async (flux) => {
  expect(shapesOf(await recordFlux(flux))).toEqual(shapesOf(readRecordings()));
});
