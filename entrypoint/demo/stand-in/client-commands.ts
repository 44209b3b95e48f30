/** The commands that talk to the broker of FLUX_URI. */
import { parseArgs } from 'node:util';
import { formatHostlist, parseHostlist } from '../../../agent/cluster/hostlist.ts';
import { connectFlux, type FluxClient } from '../../../agent/flux/client.ts';
import { FluxError } from '../../../agent/flux/errors.ts';
import { formatJobId, type JobId, parseJobId } from '../../../agent/flux/job-id.ts';
import { getAttr } from '../../../agent/flux/services/attr.ts';
import { watchEventlog } from '../../../agent/flux/services/job-info.ts';
import { submitJob } from '../../../agent/flux/services/job-ingest.ts';
import {
  countResources,
  getScheduledResources,
  type ResourceSet,
} from '../../../agent/flux/services/resource.ts';
import { makeJobspec } from './jobs/jobspec-reader.ts';

export type ClientCommand = (args: readonly string[]) => Promise<number>;

type Act = (client: FluxClient, args: readonly string[]) => Promise<number>;

const commands: Readonly<Record<string, Act>> = {
  run: async (client, args) => attach(client, await submit(client, args)),
  submit: async (client, args) => {
    print(`${formatJobId(await submit(client, args))}\n`);
    return 0;
  },
  job: async (client, [verb, text = '']) => {
    const id = parseJobId(text);
    if (verb !== 'attach') return unknown(`job ${verb}`);
    return id === undefined ? complain(`${text} is no job id`) : attach(client, id);
  },
  getattr: async (client, [name = '']) => {
    const value = await getAttr(client, name);
    if (value === undefined) return complain(`${name}: No such file or directory`);
    print(`${value}\n`);
    return 0;
  },
  resource: async (client, [verb]) => {
    if (verb !== 'list') return unknown(`resource ${verb}`);
    const { all, down, allocated } = await getScheduledResources(client);
    print('     STATE NNODES NCORES NGPUS NODELIST\n');
    print(row('free', without(without(all, down), allocated)));
    print(row('allocated', allocated));
    print(row('down', down));
    return 0;
  },
};

export const clientCommands: Readonly<Record<string, ClientCommand>> = Object.fromEntries(
  Object.entries(commands).map(([name, act]) => [name, (args: readonly string[]) => talk(act, args)]),
);

async function talk(act: Act, args: readonly string[]): Promise<number> {
  const path = (process.env.FLUX_URI ?? '').replace(/^local:\/\//, '');
  try {
    using client = await connectFlux(path);
    return await act(client, args);
  } catch (error) {
    if (!(error instanceof FluxError)) throw error;
    return complain(error.message);
  }
}

function submit(client: FluxClient, args: readonly string[]): Promise<JobId> {
  const { nodes, tasks, argv } = readOptions(args);
  const env = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  return submitJob(client, makeJobspec({ nodes, tasks }, argv, env));
}

/** Options stand before the command; those that are not known are passed over. */
function readOptions(args: readonly string[]) {
  const options = { nodes: { type: 'string', short: 'N' }, ntasks: { type: 'string', short: 'n' } } as const;
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const command = tokens.find(({ kind }) => kind !== 'option');
  const own = tokens.filter((token) => token.kind === 'option' && (!command || token.index < command.index));
  const numberOf = (name: string) => {
    const found = own.find((token) => token.kind === 'option' && token.name === name);
    return found?.kind === 'option' && found.value !== undefined ? Number(found.value) : undefined;
  };
  const start = command ? command.index + (command.kind === 'option-terminator' ? 1 : 0) : args.length;
  return { nodes: numberOf('nodes'), tasks: numberOf('ntasks'), argv: args.slice(start) };
}

/** Shows a job's output until it ends; resolves to its exit code. */
async function attach(client: FluxClient, id: JobId): Promise<number> {
  const output = showOutput(client, id);
  let code = 1;
  for await (const { name, context } of watchEventlog(client, id, 'eventlog')) {
    if (name === 'exception') complain(`${formatJobId(id)}: exception: ${context?.type}: ${context?.note}`);
    if (name === 'finish') code = Number(context?.status) >> 8;
  }
  await output;
  return code;
}

async function showOutput(client: FluxClient, id: JobId): Promise<void> {
  for await (const { name, context } of watchEventlog(client, id, 'guest.output', { waits: true })) {
    const { stream, data, encoding } = (context ?? {}) as Record<string, string>;
    if (name !== 'data' || data === undefined) continue;
    process[stream === 'stderr' ? 'stderr' : 'stdout'].write(
      Buffer.from(data, encoding === 'base64' ? 'base64' : 'utf8'),
    );
  }
}

function row(state: string, set: ResourceSet): string {
  const { nodes, cores } = countResources(set);
  const cells = [state.padStart(10), String(nodes).padStart(6), String(cores).padStart(6)];
  return `${cells.join(' ')}     0 ${formatHostlist(hostsOf(set))}\n`;
}

const hostsOf = ({ execution }: ResourceSet): string[] =>
  execution.nodelist.filter((list) => list !== '').flatMap(parseHostlist);

/** The nodes of a set that are not in the other. */
function without(set: ResourceSet, other: ResourceSet): ResourceSet {
  const lost = new Set(other.execution.R_lite.flatMap(({ rank }) => rank));
  const R_lite = set.execution.R_lite.map(({ rank, children }) => ({
    rank: rank.filter((one) => !lost.has(one)),
    children,
  }));
  const goneHosts = new Set(hostsOf(other));
  const nodelist = [formatHostlist(hostsOf(set).filter((host) => !goneHosts.has(host)))];
  return { execution: { R_lite, nodelist } };
}

const print = (text: string): void => void process.stdout.write(text);

function complain(text: string): number {
  process.stderr.write(`flux: ERROR: ${text}\n`);
  return 1;
}

function unknown(command: string): number {
  process.stderr.write(`flux: flux-pod's stand-in has no "flux ${command}": install Flux\n`);
  return 1;
}
