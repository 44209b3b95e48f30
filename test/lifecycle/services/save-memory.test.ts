import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { saveMemory } from '../../../agent/lifecycle/services/save-memory.ts';

type Options = Parameters<typeof saveMemory>[0];

/** What a program prints whose process saves memory in this way, or not at all, with V8's flags. */
function run(options: Options | undefined, flags: readonly string[], program: string): string {
  const module = new URL('../../../agent/lifecycle/services/save-memory.ts', import.meta.url).href;
  const whole = `
    import { saveMemory } from ${JSON.stringify(module)};
    ${options ? `saveMemory(${JSON.stringify(options)})` : ''};
    ${program}`;
  const args = [...flags, '--input-type=module', '--eval', whole];
  return execFileSync(process.execPath, args, { encoding: 'utf8' }).trim();
}

/** Whether V8 compiles a hot function. Bit 4 of its status: it is optimized (V8 src/runtime/runtime.h). */
const compiles = (options: Options): boolean =>
  run(
    options,
    ['--allow-natives-syntax', '--no-concurrent-recompilation'],
    `function hot(n) { let sum = 0; for (let i = 0; i < n; i++) sum += i % 7; return sum; }
     for (let turn = 0; turn < 2000; turn++) hot(1000);
     console.log((%GetOptimizationStatus(hot) & 16) !== 0);`,
  ) === 'true';

describe('an agent that saves memory', () => {
  it('compiles nothing, where it only answers probes', () => {
    expect(compiles({ compiles: false })).toBe(false);
  });

  it('compiles what is hot, where it serves the API', () => {
    expect(compiles({ compiles: true })).toBe(true);
  });

  it('lets its heap grow half as far as V8 would', () => {
    const most = (options: Options | undefined): number =>
      Number(
        run(
          options,
          // With threads it is the machine's other work that decides how far a collection comes meanwhile.
          ['--single-threaded-gc', '--expose-gc', '--max-semi-space-size=2'],
          // A ring of what lives as long as a request, which is longer than the young generation keeps it.
          `const ring = Array.from({ length: 400 }, () => Array(4000).fill(0.5));
           gc();
           const live = process.memoryUsage().heapUsed;
           let most = 0;
           for (let turn = 0; turn < 12_000; turn++) {
             ring[turn % ring.length] = Array(4000).fill(0.5);
             if (turn % 20 === 0) most = Math.max(most, process.memoryUsage().heapUsed);
           }
           console.log(most / live);`,
        ),
      );
    const [saved, usual] = [most({ compiles: true }), most(undefined)];
    expect(saved).toBeGreaterThan(1);
    expect(saved / usual).toBeLessThan(0.55);
  });
});
