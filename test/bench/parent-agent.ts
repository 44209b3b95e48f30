/** The agent of rank 0 as its children see it, in a process of its own: `parent-agent.ts SIZE` sends its port to the process that has forked it. */
import { createTopology } from '../../agent/cluster/topology.ts';
import { serveHealth } from '../../agent/health/http-server.ts';
import { createParentLinks } from '../../agent/parent-link/parent-end.ts';
import { key } from '../support/agent/parent-links.ts';
import { podStateOf } from '../support/agent/pod-state.ts';
import { freePort } from '../support/agent/raw-client.ts';

const links = createParentLinks({
  rank: 0,
  tree: createTopology({ scheme: 'custom' }, Number(process.argv[2])),
});
const port = await freePort();
await serveHealth({
  state: podStateOf({ state: 'run' }),
  http: { host: '127.0.0.1', port },
  socketPath: undefined,
  pulse: async () => undefined,
  jobStates: async () => undefined,
  extension: links.extension,
  log: Object.assign(console.error, { open: async () => undefined }),
});
links.begin(key);
process.send?.(port);
