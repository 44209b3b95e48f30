import { createConnection } from 'node:net';
import { type Link, type Message, openLink } from './wire.ts';

export type ClientCommand = (args: readonly string[]) => Promise<number>;

/** The commands that talk to the broker of FLUX_URI. */
export const clientCommands: Readonly<Record<string, ClientCommand>> = {
  run: async (args) => {
    const id = await submit(args);
    return id === undefined ? 1 : attach(id);
  },
  submit: async (args) => {
    const id = await submit(args);
    if (id !== undefined) process.stdout.write(`${id}\n`);
    return id === undefined ? 1 : 0;
  },
  job: async ([verb, id]) => {
    if (verb === 'attach' && id !== undefined) return attach(id);
    process.stderr.write(`flux: flux-pod's stand-in knows no "flux job ${verb}": install Flux\n`);
    return 1;
  },
  getattr: async ([name = '']) => print(await ask({ type: 'getattr', name }), '\n'),
  resource: async ([verb]) => {
    if (verb === 'list') return print(await ask({ type: 'resources' }), '');
    process.stderr.write(`flux: flux-pod's stand-in knows no "flux resource ${verb}": install Flux\n`);
    return 1;
  },
};

/** The job id, or undefined when the job was refused and that was said. */
async function submit(args: readonly string[]): Promise<string | undefined> {
  let nodes: number | undefined;
  let tasks: number | undefined;
  let next = 0;
  for (; args[next]?.startsWith('-'); next++) {
    if (args[next] === '--') {
      next++;
      break;
    }
    const match = /^(-N|--nodes|-n|--ntasks)=?(.*)$/.exec(args[next] ?? '');
    if (!match) continue;
    const count = Number(match[2] || args[++next]);
    if (match[1] === '-N' || match[1] === '--nodes') nodes = count;
    else tasks = count;
  }
  const environment = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const env = Object.fromEntries(environment);
  const answer = await ask({ type: 'submit', nodes, tasks, argv: args.slice(next), cwd: process.cwd(), env });
  if (answer.type === 'value') return answer.value;
  print(answer, '');
  return undefined;
}

/** Shows a job's output until it ends. */
function attach(id: string): Promise<number> {
  return converse({ type: 'attach', job: Number(id.replace(/^f/, '')) }, (message, finish) => {
    if (message.type === 'output') process[message.stream].write(Buffer.from(message.data, 'base64'));
    else if (message.type === 'done') finish(message.code);
    else finish(print(message, ''));
  });
}

const ask = (question: Message): Promise<Message> => converse(question, (message, finish) => finish(message));

function print(answer: Message, end: string): number {
  if (answer.type === 'value') process.stdout.write(`${answer.value}${end}`);
  else process.stderr.write(`flux: ERROR: ${answer.type === 'error' ? answer.error : answer.type}\n`);
  return answer.type === 'value' ? 0 : 1;
}

function converse<Result>(
  question: Message,
  onMessage: (message: Message, finish: (result: Result) => void) => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const path = (process.env.FLUX_URI ?? '').replace(/^local:\/\//, '');
    const socket = createConnection(path);
    socket.once('error', (error) =>
      reject(new Error(`flux: cannot reach the broker at ${path}: ${error.message}`)),
    );
    const link: Link = openLink(
      socket,
      (message) =>
        onMessage(message, (result) => {
          link.close();
          resolve(result);
        }),
      () => reject(new Error('flux: the broker has closed the connection')),
    );
    socket.once('connect', () => link.send(question));
  });
}
