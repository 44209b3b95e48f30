import { basename } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** One more than there are cores in CI: most of the time a file waits. */
const maxWorkers = 3;

/** Files that take longest, in the order in which they start: what is left at the end runs side by side. */
const longest = ['image', 'api', 'minicluster', 'faults', 'network-faults', 'flux-view', 'operator', 'demo'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const found = longest.indexOf(basename(moduleId, '.test.ts'));
      return found < 0 ? longest.length : found;
    };
    return (await super.sort(files)).toSorted((one, other) => place(one) - place(other));
  }
}

/**
 * Unit tests are quick. System tests run whole pods, which mostly wait: so several files at a time, and in many of them several tests.
 * Nothing is tried a second time. No promise is about how long something takes on a busy machine: timeouts end what hangs, and
 * `npm run bench` has the figures.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          root: '.',
          include: ['test/**/*.test.ts'],
          exclude: ['test/system/**'],
          // Nothing is mocked and no module keeps state, so that a worker needs each module once.
          isolate: false,
          // Properties are tried a hundred times, on a machine that may have other work.
          testTimeout: 30_000,
          expect: { poll: { timeout: 20_000 } },
          maxWorkers,
        },
      },
      {
        test: {
          name: 'system',
          root: '.',
          include: ['test/system/**/*.test.ts'],
          isolate: false,
          testTimeout: 180_000,
          hookTimeout: 600_000,
          expect: { poll: { timeout: 60_000 } },
          maxWorkers,
          maxConcurrency: 4,
        },
      },
    ],
  },
});
