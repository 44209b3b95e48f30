import { describe, expect, it } from 'vitest';
import { shareAnswer } from '../../agent/health/share-answer.ts';

describe('an answer that is shared', () => {
  const shared = (answer: () => Promise<number>) => {
    let [now, asked] = [0, 0];
    const take = shareAnswer(
      () => {
        asked++;
        return answer();
      },
      1000,
      () => now,
    );
    const at = (ms: number) => {
      now = ms;
      return take();
    };
    return { at, asked: () => asked };
  };

  it('is asked for once, however many wait for it', async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const { at, asked } = shared(() => promise);
    const all = Array.from({ length: 1000 }, (_, n) => at(n * 1000));
    expect(asked()).toBe(1);
    resolve(7);
    expect(new Set(await Promise.all(all))).toEqual(new Set([7]));
  });

  it('counts for a while after it has come, then it is asked for anew', async () => {
    let count = 0;
    const { at, asked } = shared(async () => ++count);
    expect(await at(0)).toBe(1);
    expect(await at(999)).toBe(1);
    expect(await at(1000)).toBe(2);
    expect(asked()).toBe(2);
  });

  it('is shared also where it is none', async () => {
    const { at, asked } = shared(async () => Promise.reject(new Error('no')));
    await expect(at(0)).rejects.toThrow('no');
    await expect(at(500)).rejects.toThrow('no');
    expect(asked()).toBe(1);
    await expect(at(1500)).rejects.toThrow('no');
    expect(asked()).toBe(2);
  });
});
