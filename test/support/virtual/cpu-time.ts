/**
 * The least CPU time of this thread, in milliseconds, that `act` takes in so many runs: other work on the machine hardly counts. At least 1:
 * where the kernel counts in ticks, less than one of them may be nothing.
 */
export const cpuTime = (act: () => unknown, runs = 3): number => {
  const least = Math.min(
    ...Array.from({ length: runs }, () => {
      const before = process.threadCpuUsage();
      act();
      const { user, system } = process.threadCpuUsage(before);
      return (user + system) / 1000;
    }),
  );
  return Math.max(1, least);
};

/** How many times as long an act on all items takes as the same on one percent of them, a hundred times: 1 when its time is linear, 100 when quadratic. */
export function growth<Item>(items: readonly Item[], act: (some: readonly Item[]) => unknown): number {
  const some = items.slice(0, items.length / 100);
  const inPieces = () => {
    for (let piece = 0; piece < 100; piece++) act(some);
  };
  return cpuTime(() => act(items)) / cpuTime(inPieces);
}
