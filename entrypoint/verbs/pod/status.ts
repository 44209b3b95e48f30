import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunDirectory } from '../../../agent/broker/run-directory.ts';
import { createTopology, parseTopology } from '../../../agent/cluster/topology.ts';
import { connectFlux } from '../../../agent/flux/client.ts';
import { getResourceStatus } from '../../../agent/flux/services/resource.ts';
import type { Status } from '../../../agent/health/status.ts';
import { printable } from '../../../agent/printable.ts';
import type { ParsedArguments } from '../../command-line/arguments.ts';
import { askAgent, directoryFlags, findRunDirectory } from '../../running-pod/ask-agent.ts';
import { askOverlayTree } from '../../running-pod/overlay-tree.ts';
import { type FullStatus, statusTable } from '../../running-pod/status-table.ts';
import type { Verb } from '../verb.ts';

const watchEveryMs = 1000;

/** `flux-pod status [--json] [--watch]`: this pod, its broker, and the tree below it. */
export const status: Verb = {
  forms: { '[--json] [--watch]': 'this pod, its broker, and the tree of brokers below it' },
  flags: {
    json: { type: 'boolean', meaning: 'prints JSON' },
    watch: { type: 'boolean', meaning: 'repeats every second' },
    ...directoryFlags,
  },
  examples: ['flux-pod status', 'flux-pod status --watch', 'flux-pod status --json'],
  run: showStatus,
};

async function showStatus({ flags }: ParsedArguments): Promise<number> {
  const directory = await findRunDirectory(flags, process.env, { observers: true });
  const terminal = process.stdout.isTTY === true;
  for (;;) {
    const full = await askStatus(directory);
    const text = flags.json ? `${printable(JSON.stringify(full))}\n` : statusTable(full);
    // Home, the new text, and nothing of the old one below it.
    const screen = terminal && flags.watch && !flags.json;
    process.stdout.write(screen ? `\x1b[H${text.replaceAll('\n', '\x1b[K\n')}\x1b[J` : text);
    if (!flags.watch) return 0;
    await delay(watchEveryMs);
  }
}

/** The agent's status, and the tree and the resources of its broker where that answers. */
async function askStatus(directory: RunDirectory): Promise<FullStatus> {
  const status: Status = JSON.parse((await askAgent(directory, '/status')).body);
  const { instance, broker } = status;
  if (!instance || !broker?.answers || !existsSync(directory.socket)) return status;
  try {
    using client = await connectFlux(directory.socket, { signal: AbortSignal.timeout(1000) });
    const tree = createTopology(parseTopology(instance.topology), instance.size);
    const [overlay, resources] = await Promise.all([
      askOverlayTree(client, tree, instance.rank).catch(() => undefined),
      getResourceStatus(client, { timeoutMs: 1000 }).catch(() => undefined),
    ]);
    return { ...status, ...(overlay && { overlay }), ...(resources && { resources }) };
  } catch {
    return status; // the broker is not up yet, or no more
  }
}
