/** All routes of the API. A new route is a row in the file of its subject. */
import type { Route } from '../http/route.ts';
import { compatibleRoutes } from './flux-restful-api.ts';
import { instanceRoutes } from './instance-routes.ts';
import { jobControlRoutes } from './job-control-routes.ts';
import { jobOutputRoutes } from './job-output-routes.ts';
import { jobRoutes } from './job-routes.ts';
import { nodeRoutes } from './node-routes.ts';
import { sessionRoutes } from './session-routes.ts';

export const apiRoutes: readonly Route[] = [
  ...jobRoutes,
  ...jobOutputRoutes,
  ...jobControlRoutes,
  ...nodeRoutes,
  ...instanceRoutes,
  ...sessionRoutes,
  ...compatibleRoutes,
];
