/**
 * The shapes of pending jobs, each once however many jobs have it: jobs refer to them by place. A queue has few of them; where it has more than
 * there is room for, jobs with further ones count without their constraints, and after that as jobs of one node.
 */
import { type JobNeed, needOf, shapeOf, unknownConstraint } from './job-need.ts';

export interface Shapes {
  /** The place of a shape, which one more job has now. */
  readonly hold: (need: JobNeed) => number;
  readonly release: (place: number) => void;
  readonly at: (place: number) => JobNeed;
}

/** Each is held against all nodes at each evaluation. */
const mostShapes = 1024;

export function createShapes(most = mostShapes): Shapes {
  const places = new Map<string, number>();
  const entries: { readonly need: JobNeed; readonly text: string; jobs: number }[] = [];
  const free: number[] = [];
  /** The last place is for what finds none. */
  const rest: JobNeed = { ...needOf({}), nodes: 1, constraint: unknownConstraint };

  const placeFor = (text: string): number | undefined =>
    places.get(text) ?? free.pop() ?? (entries.length < most - 1 ? entries.length : undefined);

  return {
    hold: (need) => {
      for (const tried of [need, { ...need, constraint: unknownConstraint }]) {
        const text = shapeOf(tried);
        const place = placeFor(text);
        if (place === undefined) continue;
        const held = places.has(text) ? entries[place] : undefined;
        if (held) held.jobs++;
        else entries[place] = { need: tried, text, jobs: 1 };
        places.set(text, place);
        return place;
      }
      return most - 1;
    },
    release: (place) => {
      const entry = entries[place];
      if (!entry || --entry.jobs > 0) return;
      places.delete(entry.text);
      free.push(place);
    },
    at: (place) => entries[place]?.need ?? rest,
  };
}
