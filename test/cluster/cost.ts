/**
 * CPU time of `act` as a multiple of the CPU time of a fixed piece of work in the same run, a JSON round trip of 100,000 strings: the load
 * and the speed of the machine change both.
 */
export function costOf(act: () => void): number {
  const strings = Array.from({ length: 100_000 }, (_, index) => `host-${index}`);
  const yardstick = cpuTimeOf(() => JSON.parse(JSON.stringify(strings)));
  return cpuTimeOf(act) / yardstick;
}

function cpuTimeOf(act: () => void): number {
  const before = process.cpuUsage();
  act();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** Linear work is below this multiple, work that is quadratic in 100,000 far above. */
export const linear = 60;
