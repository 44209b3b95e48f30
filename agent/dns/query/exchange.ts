/** One query to one name server and its answer: over UDP, over TCP when truncated (RFC 1035, RFC 7766). */
import { createSocket } from 'node:dgram';
import { createConnection } from 'node:net';
import { type DecodedPacket, decode, encode, type Packet, streamEncode } from 'dns-packet';
import { type HostPort, isIPv6 } from '../../address.ts';
import { abortedWithin } from '../../timeout.ts';
import { answerTo, type Question, questionPacket } from './dns-message.ts';

/** A query under way to one server. */
export interface Exchange {
  /** Sends the same datagram once more: either it or its answer may have been lost. */
  readonly resend: () => void;
  /** Undefined when the server cannot be reached, or `signal` ended the wait. */
  readonly answer: Promise<DecodedPacket | undefined>;
}

/** For the whole answer over TCP, once a truncated one has shown that the server is up. */
const tcpTimeoutMs = 800;

/** Sends the question. The answer must come from that server, with this id, to this question; all else is ignored. */
export function exchange(question: Question, server: HostPort, signal: AbortSignal): Exchange {
  const packet = questionPacket(question);
  const udp = askUdp(packet, server, signal);
  const whole = async () => {
    const answer = await udp.answer;
    if (!answer?.flag_tc) return answer;
    return askTcp(packet, server, abortedWithin(tcpTimeoutMs, signal));
  };
  return { resend: udp.resend, answer: whole() };
}

function askUdp(packet: Packet, server: HostPort, signal: AbortSignal): Exchange {
  const datagram = encode(packet);
  const socket = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4');
  let state: 'connecting' | 'connected' | 'closed' = 'connecting';
  const resend = () => {
    if (state === 'connected') socket.send(datagram);
  };
  const answer = new Promise<DecodedPacket | undefined>((resolve) => {
    const finish = (answer?: DecodedPacket) => {
      if (state === 'closed') return;
      state = 'closed';
      signal.removeEventListener('abort', giveUp);
      socket.close();
      resolve(answer);
    };
    const giveUp = () => finish();
    signal.addEventListener('abort', giveUp, { once: true });
    socket.once('error', giveUp);
    // A connected socket receives datagrams of this server only, and the ICMP error of a closed port (udp(7)).
    socket.once('connect', () => {
      if (state === 'connecting') state = 'connected';
      resend();
    });
    socket.on('message', (bytes) => {
      const answer = answerTo(packet, () => decode(bytes));
      if (answer) finish(answer);
    });
    if (signal.aborted) giveUp();
    else socket.connect(server.port, server.host);
  });
  return { resend, answer };
}

function askTcp(packet: Packet, server: HostPort, limit: AbortSignal): Promise<DecodedPacket | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: server.host, port: server.port, signal: limit });
    let received = Buffer.alloc(0);
    const finish = (answer?: DecodedPacket) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('error', () => finish());
    socket.once('close', () => finish());
    socket.once('connect', () => socket.write(streamEncode(packet)));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      finish(answerTo(packet, () => decode(received.subarray(2, 2 + received.readUInt16BE(0)))));
    });
  });
}
