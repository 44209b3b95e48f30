/** The least CPU time of this thread, in milliseconds, that `act` takes in so many runs: other work on the machine hardly counts. */
export const cpuTime = (act: () => unknown, runs = 3): number =>
  Math.min(
    ...Array.from({ length: runs }, () => {
      const before = process.threadCpuUsage();
      act();
      const { user, system } = process.threadCpuUsage(before);
      return (user + system) / 1000;
    }),
  );

/** How many times as long an act on all items takes as the same on one percent of them, a hundred times: 1 when its time is linear, 100 when quadratic. */
export function growth<Item>(items: readonly Item[], act: (some: readonly Item[]) => unknown): number {
  const some = items.slice(0, items.length / 100);
  const inPieces = () => {
    for (let piece = 0; piece < 100; piece++) act(some);
  };
  return cpuTime(() => act(items)) / Math.max(1, cpuTime(inPieces));
}
