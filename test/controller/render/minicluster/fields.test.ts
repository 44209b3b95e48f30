import { describe, expect, it } from 'vitest';
import { effectOf, leaves, placeOf } from '../../../support/manifests/minicluster-fields.ts';
import { haveSharedFixtures, miniClusterSpecSchema } from '../../../support/manifests/shared-fixtures.ts';

/** Fields whose value is right but changes nothing, because it is the only one or the default. */
const saysNothingNew = ['.pod.securityContext.runAsNonRoot'];

describe.skipIf(!haveSharedFixtures)('every field of the MiniCluster’s definition', () => {
  const fields = haveSharedFixtures ? leaves(miniClusterSpecSchema()) : [];
  const cases = fields.flatMap(([path, schema]) =>
    (path.startsWith('.containers[]') ? [0, 1] : [0]).map((at) => [`${path}`, at, schema] as const),
  );

  it('is a lot of them', () => expect(fields.length).toBeGreaterThan(200));

  it.each(cases)(
    '%s (container %i) changes the output, or is named in a warning or a refusal',
    (path, at, schema) => {
      const named = placeOf(path, at);
      const { changed, warnings, refusal } = effectOf(path, schema, at);
      if (refusal !== undefined) {
        expect(refusal).not.toContain('no such field');
        expect(refusal).toContain(path === '.containers[].runFlux' ? 'runFlux: true, not 2' : named);
        return;
      }
      expect(changed || warnings.length > 0 || saysNothingNew.includes(path), named).toBe(true);
    },
  );
});
