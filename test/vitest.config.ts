import { defineConfig } from 'vitest/config';

/** Unit tests are quick; system tests run whole pods, which mostly wait: two files at a time. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          root: '.',
          include: ['test/**/*.test.ts'],
          exclude: ['test/system/**'],
          // Properties are tried a hundred times, on a machine that may have other work.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'system',
          root: '.',
          include: ['test/system/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          // A machine that has other work may miss a limit once. What is wrong fails twice, and a second try is shown.
          retry: 1,
        },
      },
    ],
  },
});
