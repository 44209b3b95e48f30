/** Whatever listens at the parent's address, and whatever it answers: the attempt is settled, and a link that was there breaks. */
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { NoLink, OpenLink } from '../../agent/link/open-link.ts';
import { encodeLine, linkHeader, readRequest } from '../../agent/link/protocol.ts';
import { key, listen, openLink } from '../support/agent/parent-links.ts';
import { selfSigned } from '../support/agent/self-signed.ts';

const incarnation = '27-1';
const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n';
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const body = (text: string, status = '200 OK') =>
  `HTTP/1.1 ${status}\r\ncontent-length: ${text.length}\r\n\r\n${text}`;

/** What the peer does when the request's head has come. `hello` is the right one for this request. */
type Act = (socket: Socket, hello: string) => void;
const say =
  (text: string): Act =>
  (socket) =>
    void socket.write(text);

/** Writes a byte now and then, without an end. */
const drip =
  (text: string): Act =>
  (socket) => {
    let at = 0;
    const timer = setInterval(() => socket.write(text[at++] ?? ' '), 20);
    socket.once('close', () => clearInterval(timer));
  };

/** Writes as fast as it is read, without an end. */
const flood =
  (start: string, block: string): Act =>
  (socket) => {
    const more = () => void socket.write(block.repeat(100), () => socket.destroyed || setImmediate(more));
    socket.write(start);
    more();
  };

const peers: [string, Act, NoLink][] = [
  ['404', say(body('', '404 Not Found')), 'foreign'],
  ['403', say(body('', '403 Forbidden')), 'foreign'],
  ['500', say(body('', '500 Oops')), 'foreign'],
  ['503', say(body('', '503 Not Now')), 'unavailable'],
  ['a redirect', say('HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n'), 'foreign'],
  ['204', say('HTTP/1.1 204 No Content\r\n\r\n'), 'foreign'],
  ['200 and OK without a line end', say(body('OK')), 'foreign'],
  ['200 and OK with a line end', say(body('OK\n')), 'foreign'],
  ['200 and an empty body', say(body('')), 'foreign'],
  ['200 and an empty chunked body', say(`${head}0\r\n\r\n`), 'foreign'],
  ['200 and 4,097 characters without a line end', say(head + chunk('x'.repeat(4097))), 'foreign'],
  ['200 and characters without end', flood(head, chunk('x'.repeat(1000))), 'foreign'],
  ['200 and empty lines without end', flood(head, chunk('\n'.repeat(1000))), 'foreign'],
  ['200 and no body yet', say(head), 'late'],
  [
    '200 and a shorter body than it says',
    (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nOK'),
    'unavailable',
  ],
  ['a hello of its own', say(head + chunk(`${'0'.repeat(64)} {"kind":"hello"}\n`)), 'foreign'],
  [
    'an outcome before a hello',
    (socket) => void socket.write(head + chunk(signed(socket, 0, outcome))),
    'foreign',
  ],
  [
    'a hello at another position',
    (socket) => void socket.write(head + chunk(signed(socket, 1, helloMessage))),
    'foreign',
  ],
  ['a chunk that has no size', say(`${head}zz\r\nOK`), 'foreign'],
  ['HTTP/1.0 and OK', (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nOK\n'), 'foreign'],
  ['HTTP/1.0 and nothing', (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\n'), 'foreign'],
  ['HTTP/0.9', (socket) => socket.end('OK\n'), 'foreign'],
  ['HTTP/2', say('\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0d'), 'foreign'],
  ['a TLS alert', say('\x15\x03\x01\0\x02\x02\x46'), 'foreign'],
  ['bytes that are no HTTP', say('\0\x01\x02SSH-2.0\r\n'), 'foreign'],
  ['an upgrade', say('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'), 'foreign'],
  ['100 Continue, and nothing more', say('HTTP/1.1 100 Continue\r\n\r\n'), 'late'],
  ['103 Early Hints without end', flood('', 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n'), 'late'],
  ['headers without end', flood('HTTP/1.1 200 OK\r\n', `x: ${'y'.repeat(500)}\r\n`), 'foreign'],
  ['a status line without end', flood('HTTP/1.1 200 ', 'OK'), 'foreign'],
  ['silence', () => undefined, 'late'],
  ['its head slowly', drip('HTTP/1.1 200 OK\r\nx: y'), 'late'],
  ['its body slowly', drip(`${head}1\r\nx\r\n1\r\nx\r\n1\r\n`), 'late'],
  ['an end of the connection', (socket) => socket.end(), 'unavailable'],
  ['a reset', (socket) => socket.resetAndDestroy(), 'unavailable'],
];

const helloMessage = { kind: 'hello', challenge: 'c' } as const;
const outcome = { kind: 'outcome', code: 0, sentence: 'The program exited with code 0' } as const;
type Message = typeof helloMessage | typeof outcome;

/** The line that the true parent would send on this connection. */
const lines = new WeakMap<Socket, (position: number, message: Message, of?: string) => string>();
const signed = (socket: Socket, position: number, message: Message, of?: string) =>
  lines.get(socket)?.(position, message, of) ?? '';

/** Listens, and does what `act` says once a request's head has come. */
const peer = (act: Act) =>
  listen((socket) => {
    let seen = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      const before = seen.includes('\r\n\r\n');
      seen += text;
      if (before || !seen.includes('\r\n\r\n')) return;
      const header = new RegExp(`${linkHeader}: (.*)\r\n`).exec(seen)?.[1];
      const request = readRequest(header, key);
      if (!request) throw new Error(`no request of a link: ${seen}`);
      lines.set(socket, (position, message, of = incarnation) =>
        encodeLine({ incarnation: of, message }, position, request.signer),
      );
      act(socket, head + chunk(signed(socket, 0, helloMessage)));
    });
  });

const soon = { connectMs: 60_000, helloMs: 200 };

describe.concurrent('an attempt is settled where the peer answers with', () => {
  it.each(peers)('%s', async (_, act, expected) => {
    await using server = await peer(act);
    const late = expected === 'late';
    const settled = await openLink(server, late ? { deadlines: soon } : {});
    expect(settled).toBe(expected);
  });

  it.each(peers)('%s, and after an abort', async (_, act) => {
    const abort = new AbortController();
    await using server = await peer((socket, hello) => {
      act(socket, hello);
      abort.abort();
    });
    expect(typeof (await openLink(server, { signal: abort.signal }))).toBe('string');
  });

  it('a TLS server’s handshake', async () => {
    const { cert, key: tlsKey } = selfSigned();
    const tls = createHttpsServer({ cert, key: tlsKey });
    await using server = await listen((socket) => void tls.emit('connection', socket));
    expect(await openLink(server)).not.toBeTypeOf('object');
  });

  it('a reset after any byte of a right answer', async () => {
    let cut = 0;
    let length = 1;
    await using server = await peer((socket, hello) => {
      length = hello.length;
      const text = hello.slice(0, cut);
      socket.write(text, () => socket.resetAndDestroy());
    });
    const whys = new Set<string>();
    for (cut = 0; cut < length; cut++) {
      const link = await openLink(server);
      whys.add(typeof link === 'string' ? link : 'a link');
      if (typeof link !== 'string') await link.broken;
    }
    expect([...whys].filter((why) => why !== 'a link')).toEqual(['unavailable']);
  });
});

describe.concurrent('a link breaks when the parent has said hello, and then comes', () => {
  const after: [string, Act][] = [
    ['a line end', say(chunk('\n'))],
    ['a line that is not signed', say(chunk(`${JSON.stringify(outcome)}\n`))],
    ['4,097 characters without a line end', say(chunk('x'.repeat(4097)))],
    ['characters without end', flood('', chunk('x'.repeat(1000)))],
    ['an end of the body', say('0\r\n\r\n')],
    ['a chunk that has no size', say('zz\r\n')],
    ['another answer', say(body('OK'))],
    ['an end of the connection', (socket) => socket.end()],
    ['a reset', (socket) => socket.resetAndDestroy()],
    ['the hello again', (socket) => void socket.write(chunk(signed(socket, 0, helloMessage)))],
    ['another hello', (socket) => void socket.write(chunk(signed(socket, 1, helloMessage)))],
    ['a line whose predecessor is missing', (socket) => void socket.write(chunk(signed(socket, 2, outcome)))],
    [
      'a line of another incarnation',
      (socket) => void socket.write(chunk(signed(socket, 1, outcome, '28-2'))),
    ],
  ];

  it.each(after)('%s', async (_, act) => {
    const heard: unknown[] = [];
    await using server = await peer((socket, hello) => {
      // When the hello has been answered.
      socket.once('data', () => act(socket, hello));
      socket.write(hello);
    });
    const link = await held(server, (message) => heard.push(message));
    await link.broken;
    expect(heard).toEqual([]);
  });

  it.each([
    ['silence', () => undefined],
    ['bytes now and then', drip(chunk('x').repeat(100))],
  ] satisfies [string, Act][])('%s, and it is let go', async (_, act) => {
    await using server = await peer((socket, hello) => {
      socket.write(hello);
      act(socket, hello);
    });
    const link = await held(server);
    link.release();
    await link.broken;
  });

  it('a line twice: the first counts', async () => {
    const heard: unknown[] = [];
    await using server = await peer((socket, hello) => {
      const line = chunk(signed(socket, 1, outcome));
      socket.write(hello + line + line);
    });
    const link = await held(server, (message) => heard.push(message));
    await link.broken;
    expect(heard).toEqual([outcome]);
  });
});

async function held(
  server: Parameters<typeof openLink>[0],
  onMessage: (message: unknown) => void = () => undefined,
): Promise<OpenLink> {
  const link = await openLink(server, { onMessage });
  if (typeof link === 'string') throw new Error(`no link: ${link}`);
  return link;
}
