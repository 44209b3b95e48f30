/** Finds the route of a request. Data in, data out. */
import { HttpProblem } from '../problem.ts';
import type { Route } from './route.ts';

export interface Match {
  readonly route: Route;
  /** The texts of the segments that vary, by their names. */
  readonly params: Readonly<Record<string, string>>;
}

export interface Router {
  /** Throws a Problem: 404 where no route has this path, 405 where none has it with this method, 400 where it is no path. */
  readonly find: (method: string, path: string) => Match;
}

interface Entry {
  readonly segments: readonly string[];
  readonly routes: Map<string, Route>;
}

export function createRouter(routes: readonly Route[]): Router {
  const entries = new Map<string, Entry>();
  for (const route of routes) {
    const entry = entries.get(route.path) ?? { segments: route.path.split('/'), routes: new Map() };
    entry.routes.set(route.method, route);
    entries.set(route.path, entry);
  }
  // Paths without parameters come first: the `search` of /v1/jobs/search is no job id.
  const ordered = [...entries.values()].sort((a, b) => variables(a) - variables(b));
  return {
    find: (method, path) => {
      const segments = path.split('/').map(decode);
      const entry = ordered.find((candidate) => matches(candidate, segments));
      if (!entry) throw new HttpProblem('not-found', 'No route has this path: see /v1/docs.');
      const route = entry.routes.get(method === 'HEAD' ? 'GET' : method);
      if (!route) {
        const allow = [...entry.routes.keys()].flatMap((known) =>
          known === 'GET' ? ['GET', 'HEAD'] : [known],
        );
        throw new HttpProblem('method-not-allowed', `${method} is not allowed at this path.`, {
          headers: { allow: allow.join(', ') },
        });
      }
      const params = entry.segments.flatMap((segment, place) =>
        segment.startsWith('{') ? [[segment.slice(1, -1), segments[place] ?? '']] : [],
      );
      return { route, params: Object.fromEntries(params) };
    },
  };
}

const variables = ({ segments }: Entry): number =>
  segments.filter((segment) => segment.startsWith('{')).length;

const matches = ({ segments }: Entry, path: readonly string[]): boolean =>
  segments.length === path.length &&
  segments.every((segment, place) =>
    segment.startsWith('{') ? path[place] !== '' : segment === path[place],
  );

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new HttpProblem('bad-request', 'The path has a percent-encoding that is not valid.');
  }
}
