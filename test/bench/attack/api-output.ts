/** Attacks on port 8052 by somebody who has a `read` token, or none: output of any length, HEAD, bodies that are held back. */

import { readdirSync } from 'node:fs';
import { get, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { agentProc } from '../../support/bed/agent-process.ts';
import { writeOutput } from '../inside-pod.ts';
import { brokerProc } from './measure.ts';
import { close, openSockets, stillOpen } from './sockets.ts';
import type { Attack, Target } from './target.ts';

const mib = 1024 * 1024;

/** A job that has written so much. */
const written =
  (mebibytes: number): NonNullable<Attack['prepare']> =>
  async ({ pod }) => {
    job = await writeOutput(pod, mebibytes);
  };
/** Of the pod that is attacked: there is one at a time. */
let job = '';

export const apiOutput: readonly Attack[] = [
  {
    name: '64 MiB of output, one reader',
    before: 'agent 67 -> 729, broker 162 -> 1,305, the answer cut off at 7 MB without a sign',
    api: 'plain',
    prepare: written(64),
    run: (target) => read(target, 1, 'output?format=text'),
  },
  {
    name: '1 GiB of output, three readers',
    before: '502 for a message over 256 MiB, and the connection that all share torn down',
    api: 'plain',
    prepare: written(1024),
    run: (target) => read(target, 3, 'output?format=text'),
  },
  {
    name: '1 GiB of output, three followers',
    before: 'not measured',
    api: 'plain',
    prepare: written(1024),
    run: (target) => read(target, 3, 'output/stream'),
  },
  {
    name: '1 GiB of output, 100 who read nothing',
    before: 'not measured',
    api: 'plain',
    prepare: written(1024),
    run: async ({ pod, addresses, tokens }) => {
      const write = `GET /v1/jobs/${job}/output HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${tokens.read}\r\n\r\n`;
      const sockets = openSockets({
        host: pod.address,
        port: 8052,
        count: 100,
        from: addresses,
        write,
        unread: true,
      });
      const left = await stillOpen(sockets, 15_000);
      close(sockets);
      return `${left} of 100 connections are open after 15 s`;
    },
  },
  {
    name: '100 HEAD of streams',
    before: '+100 descriptors in the agent and +100 in the broker, for good',
    api: 'plain',
    prepare: written(32),
    run: async (target) => {
      const before = descriptors(target);
      for (let heads = 0; heads < 25; heads++)
        for (const path of [
          '/v1/events',
          ...['events', 'output', 'output/stream'].map((what) => `/v1/jobs/${job}/${what}`),
        ])
          await head(target, path);
      await delay(1000);
      const after = descriptors(target);
      return `${after.agent - before.agent} descriptors more in the agent, ${after.broker - before.broker} in the broker`;
    },
  },
  {
    name: '300 bodies without a token',
    before: 'agent 111 -> 412, held for 12 s',
    api: 'plain',
    run: async ({ pod, addresses }) => {
      const write = `POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: ${mib}\r\n\r\n${'x'.repeat(mib - 1)}`;
      const sockets = openSockets({ host: pod.address, port: 8052, count: 300, from: addresses, write });
      const left = await stillOpen(sockets, 5000);
      close(sockets);
      return `${left} of 300 connections are open after 5 s`;
    },
  },
];

function descriptors({ pod }: Target): { agent: number; broker: number } {
  const count = (proc: string) => readdirSync(`${proc}/fd`).length;
  return { agent: count(agentProc(pod)), broker: count(brokerProc(pod)) };
}

const optionsOf = ({ pod, tokens }: Target, path: string, method: string) => ({
  host: pod.address,
  port: 8052,
  path,
  method,
  agent: false,
  headers: {
    authorization: `Bearer ${method === 'POST' ? tokens.write : tokens.read}`,
    'content-type': 'application/json',
  },
});

/** Reads as many times at once. Resolves to what came, or why it broke off. */
async function read(target: Target, readers: number, what: string): Promise<string> {
  const startedAt = performance.now();
  const all = await Promise.all(
    Array.from({ length: readers }, () => count(target, `/v1/jobs/${job}/${what}`)),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  return `${all.join(', ')} in ${seconds.toFixed(1)} s`;
}

function count(target: Target, path: string): Promise<string> {
  return new Promise((resolve) => {
    let bytes = 0;
    const said = (how: string) => resolve(`${(bytes / mib).toFixed(1)} MiB${how}`);
    get(optionsOf(target, path, 'GET'), (response) => {
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.once('end', () => said(response.statusCode === 200 ? '' : ` (${response.statusCode})`));
      response.once('error', ({ message }) => said(` (${message})`));
    }).once('error', ({ message }) => said(` (${message})`));
  });
}

function head(target: Target, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    request(optionsOf(target, path, 'HEAD'), (response) => response.resume().once('end', resolve))
      .once('error', reject)
      .end();
  });
}
