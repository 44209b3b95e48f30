import { expect, it } from 'vitest';
import { ExitCode, PodError } from '../agent/errors.ts';

it('an error of another bundle is one of flux-pod too', async () => {
  const again = '../agent/errors.ts?again';
  const other: { PodError: typeof PodError } = await import(again);
  expect(other.PodError).not.toBe(PodError);
  expect(new other.PodError(ExitCode.configuration, 'Cannot')).toBeInstanceOf(PodError);
  expect(new Error('internal')).not.toBeInstanceOf(PodError);
});
