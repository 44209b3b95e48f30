import type { Clock } from '../../../agent/dns/await-parent.ts';

/** A clock that stands still while anything is being done and then jumps to the next thing to do. */
export interface VirtualTime extends Clock {
  /** Calls `action` at that time. */
  readonly at: (time: number, action: () => void) => void;
  /** Calls `action` once after `ms`; returns what cancels that. */
  readonly after: (ms: number, action: () => void) => () => void;
  /** Lets time pass until nothing is left to do or `until` has come. */
  readonly run: (until?: number) => Promise<void>;
}

interface Task {
  readonly time: number;
  readonly order: number;
  readonly action: () => void;
  cancelled: boolean;
}

export function virtualTime(): VirtualTime {
  const tasks = createHeap();
  let now = 0;
  let order = 0;
  const schedule = (time: number, action: () => void) => {
    const task: Task = { time: Math.max(time, now), order: order++, action, cancelled: false };
    tasks.push(task);
    return task;
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return {
    now: () => now,
    at: (time, action) => void schedule(time, action),
    after: (ms, action) => {
      const task = schedule(now + ms, action);
      return () => {
        task.cancelled = true;
      };
    },
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const end = () => {
          if (task) task.cancelled = true;
          signal.removeEventListener('abort', end);
          resolve();
        };
        const task = Number.isFinite(ms) ? schedule(now + ms, end) : undefined;
        signal.addEventListener('abort', end, { once: true });
      }),
    run: async (until = Number.POSITIVE_INFINITY) => {
      await settled();
      for (let task = tasks.pop(); task; task = tasks.pop()) {
        if (task.time > until) {
          tasks.push(task);
          break;
        }
        if (task.cancelled) continue;
        now = task.time;
        task.action();
        await settled();
      }
      if (Number.isFinite(until)) now = Math.max(now, until);
    },
  };
}

/** The earliest task first; of those at one time, the one scheduled first. */
function createHeap() {
  const heap: Task[] = [];
  const isBefore = (one: Task, other: Task) =>
    one.time < other.time || (one.time === other.time && one.order < other.order);
  const at = (index: number) => heap[index] as Task;
  const swap = (one: number, other: number) => {
    [heap[one], heap[other]] = [at(other), at(one)];
  };
  return {
    push: (task: Task) => {
      heap.push(task);
      for (let index = heap.length - 1; index > 0; ) {
        const parent = (index - 1) >> 1;
        if (!isBefore(at(index), at(parent))) break;
        swap(index, parent);
        index = parent;
      }
    },
    pop: (): Task | undefined => {
      const first = heap[0];
      const last = heap.pop();
      if (!first || !last || heap.length === 0) return first;
      heap[0] = last;
      for (let index = 0; ; ) {
        const [left, right] = [2 * index + 1, 2 * index + 2];
        let least = index;
        if (left < heap.length && isBefore(at(left), at(least))) least = left;
        if (right < heap.length && isBefore(at(right), at(least))) least = right;
        if (least === index) return first;
        swap(index, least);
        index = least;
      }
    },
  };
}
