import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { saveMemory } from '../../../agent/lifecycle/services/save-memory.ts';

/** Whether V8 compiles a hot function of a process that saves memory in this way. Bit 4 of its status: it is optimized (V8 src/runtime/runtime.h). */
function compiles(options: Parameters<typeof saveMemory>[0]): boolean {
  const module = new URL('../../../agent/lifecycle/services/save-memory.ts', import.meta.url).href;
  const program = `
    import { saveMemory } from ${JSON.stringify(module)};
    saveMemory(${JSON.stringify(options)});
    function hot(n) { let sum = 0; for (let i = 0; i < n; i++) sum += i % 7; return sum; }
    for (let turn = 0; turn < 2000; turn++) hot(1000);
    console.log((%GetOptimizationStatus(hot) & 16) !== 0);`;
  const args = [
    '--allow-natives-syntax',
    '--no-concurrent-recompilation',
    '--input-type=module',
    '--eval',
    program,
  ];
  return execFileSync(process.execPath, args, { encoding: 'utf8' }).trim() === 'true';
}

describe('an agent that saves memory', () => {
  it('compiles nothing, where it only answers probes', () => {
    expect(compiles({ compiles: false })).toBe(false);
  });

  it('compiles what is hot, where it serves the API', () => {
    expect(compiles({ compiles: true })).toBe(true);
  });
});
