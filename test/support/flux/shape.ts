/** What two recordings of the same script must have in common: topics, error numbers and texts, keys and types of payloads. */
import { MessageType } from '../../../agent/flux/constants.ts';
import { Errno } from '../../../agent/flux/errors.ts';
import { decodeMessage, type Message } from '../../../agent/flux/flux-message.ts';
import { decodeJson, decodeString } from '../../../agent/flux/payload.ts';
import type { Exchange, Recording } from './recording.ts';

/** One line for each response, `TOPIC EXCHANGE: WHAT`: two lists of these are easy to compare, and to read where they differ. */
export const shapesOf = (recordings: readonly Recording[]): string[] =>
  recordings
    .toSorted((one, other) => (one.topic < other.topic ? -1 : 1))
    .flatMap(({ topic, exchanges }) =>
      // Those that are open together end in any order.
      exchanges
        .toSorted((one, other) => (one.name < other.name ? -1 : 1))
        .flatMap((exchange) => shapesOfExchange(topic, exchange)),
    );

const shapesOfExchange = (topic: string, exchange: Exchange): string[] =>
  shapesOfResponses(topic, exchange).map((shape) => `${topic} ${exchange.name} @${exchange.rank}: ${shape}`);

function shapesOfResponses(topic: string, { rank, requests, responses }: Exchange): string[] {
  const messages = responses.map((bytes) => decodeMessage(Buffer.from(bytes, 'base64')));
  const payloads = messages.filter(isResult).map(({ payload }) => decodeJson(payload));
  const others = messages.filter((message) => !isResult(message)).map(shapeOfOther);
  // When the broker takes the connection, and when it closes it, is a matter of milliseconds; so is the quorum of the follower that completes it.
  if (topic === 'state-machine.monitor') {
    const lasting = rank === 0 ? /[4-9]/ : /[5-9]/;
    return [
      ...payloads.map((payload) => JSON.stringify(payload)).filter((text) => lasting.test(text)),
      ...others,
    ];
  }
  // Each change of a child is an answer, also one that changes nothing for the whole.
  if (topic === 'overlay.health') return [...distinct(payloads.map(shapeOfHealth)), ...others];
  // How much has come before the cancellation arrives is a matter of milliseconds too.
  if (requests.length > 1) return [shapeOf(payloads[0]), ...others];
  if (topic === 'job-info.eventlog-watch')
    return [...shapesOfEntries(payloads as { event: string }[]), ...others];
  return [...payloads.map(shapeOf), ...others];
}

const isResult = (message: Message): boolean => message.type === MessageType.response && message.errnum === 0;

function shapeOfOther(message: Message): string {
  if (message.type === MessageType.event)
    return `event ${message.topic} ${shapeOf(decodeJson(message.payload))}`;
  if (message.type !== MessageType.response) return `type ${message.type}`;
  const text = message.payload && decodeString(message.payload);
  // Where a broken configuration file is, and what its parser says.
  return `${errnoName(message.errnum)} ${text?.replace(/(Config file error: ).*/s, '$1...') ?? ''}`.trim();
}

const errnoName = (errnum: number): string =>
  Object.entries(Errno).find(([, number]) => number === errnum)?.[0] ?? String(errnum);

const shapeOfHealth = (payload: unknown): string => {
  const { rank, status, children } = payload as {
    rank: number;
    status: string;
    children: { rank: number; status: string }[];
  };
  return `${rank} ${status} ${children.map((child) => `${child.rank} ${child.status} ${shapeOf(child)}`)} ${shapeOf(payload)}`;
};

/** Output comes in an order of its own from each stream, and in pieces of any size; a shell is quicker than who says that it starts. */
function shapesOfEntries(payloads: readonly { event: string }[]): string[] {
  const entries = payloads.flatMap(({ event }) => event.split('\n').filter((line) => line !== ''));
  const shapes = entries.map((line) => {
    const { name, ...rest } = JSON.parse(line);
    return `${name} ${shapeOf(rest)} ${rest.context?.stream ?? ''}`;
  });
  const unordered = (shape: string) => /^(data|starting|shell\.)/.test(shape);
  return [...shapes.filter((shape) => !unordered(shape)), ...new Set(shapes.filter(unordered).sort())];
}

/** Keys and types; strings that are JSON are looked into. */
export function shapeOf(value: unknown): string {
  if (Array.isArray(value)) return `[${[...new Set(value.map(shapeOf))].join('|')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([key, member]) => `${key}:${shapeOf(member)}`);
    return `{${members.sort().join(',')}}`;
  }
  if (typeof value === 'string' && /^\{.*\}\n*$/s.test(value)) {
    const lines = value.split('\n').filter((line) => line !== '');
    return `json${lines.map((line) => shapeOf(JSON.parse(line))).join(' ')}`;
  }
  return value === null ? 'null' : typeof value === 'bigint' ? 'number' : typeof value;
}

const distinct = (texts: readonly string[]): string[] =>
  texts.filter((text, index) => text !== texts[index - 1]);
