import { vi } from 'vitest';

/** What a command of ours writes in this process, until the mocks are restored, and what becomes of it. */
export async function written(act: () => Promise<number>) {
  const text = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation((piece) => {
      text[stream] += piece;
      return true;
    });
  }
  const code = await act();
  return { code, ...text };
}
