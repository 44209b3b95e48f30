/** `npm run bench [-- NAME]`: figures of docs/measurements.md and of the budgets, each beside another way to the same end. */
import { api } from './api/main.ts';
import { attack } from './attack/main.ts';
import { bootstrap } from './bootstrap.ts';
import { controller } from './controller.ts';
import { health } from './health.ts';
import { instance } from './instance.ts';
import { scale } from './scale.ts';
import { simulation } from './simulation.ts';
import { size } from './size.ts';
import { start } from './start.ts';

const benchmarks: Readonly<Record<string, () => Promise<void>>> = {
  start,
  bootstrap,
  scale,
  instance,
  simulation,
  health,
  api,
  attack,
  controller,
  size,
};

const wanted = process.argv[2];
for (const [name, run] of Object.entries(benchmarks)) {
  if (wanted === undefined || wanted === name) await run();
}
if (wanted !== undefined && !Object.hasOwn(benchmarks, wanted)) {
  console.error(`There is no benchmark "${wanted}": expected one of ${Object.keys(benchmarks).join(', ')}`);
  process.exitCode = 64;
}
