import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCredentials } from '../../../agent/api/auth/credentials.ts';
import { followCredentials } from '../../../agent/api/auth/follow-credentials.ts';
import { createPodState } from '../../../agent/health/pod-state.ts';
import type { WatchHandlers } from '../../../agent/watch-mounted.ts';
import { configurationOf } from '../../support/agent/configuration.ts';
import {
  idOfToken,
  readToken,
  startApi,
  usualSecret,
  writeTls,
  writeToken,
} from '../../support/agent/fake-api.ts';
import { mountSecret } from '../../support/agent/mounted-secret.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';
import { selfSigned } from '../../support/agent/self-signed.ts';
import { begunJob } from '../../support/flux/fake-kvs.ts';

const another = 'another-0123456789abcdef';
/** For what a watch has to notice first. */
const soon = { timeout: 10_000, interval: 20 };

let api: Awaited<ReturnType<typeof startApi>>;
const silent = async function* () {
  await new Promise(() => undefined);
  yield {};
};
beforeEach(async () => {
  api = await startApi({ ...begunJob(), stream: { 'job-info.eventlog-watch': silent } });
});
afterEach(() => api.close());

const statusWith = async (token: string) => (await api.ask('GET', '/v1/session', { token })).status;
const signIn = async () => {
  const { headers } = await api.ask('POST', '/v1/session', { token: '', body: { token: writeToken } });
  return headers.get('set-cookie')?.split(';', 1)[0] ?? '';
};
const follow = async (token: string) => {
  const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
  const { body } = await fetch(`${api.url}/v1/jobs/f1/events`, { headers });
  const stream = { ended: false };
  void body?.getReader().closed.then(
    () => (stream.ended = true),
    () => (stream.ended = true),
  );
  return stream;
};
const messages = () => api.log.lines.map(([level, message]) => `${level} ${message}`);

describe('a token that is taken from the Secret', () => {
  it('is refused, with its sessions and the streams that it has open; those of others go on', async () => {
    const cookie = await signIn();
    const [mine, other] = [await follow(writeToken), await follow(readToken)];
    mountSecret(api.directory, { ...usualSecret, write: `${another}\n` });
    await expect.poll(() => statusWith(writeToken), soon).toBe(401);
    expect((await api.ask('GET', '/v1/session', { token: '', headers: { cookie } })).status).toBe(401);
    await expect.poll(() => mine.ended, soon).toBe(true);
    expect(other.ended).toBe(false);
    expect([await statusWith(another), await statusWith(readToken)]).toEqual([200, 200]);
    const tokens = [`write ${idOfToken(another)}`, `read ${idOfToken(readToken)}`];
    expect(api.log.lines).toContainEqual(['info', expect.stringMatching(/as they are now$/), { tokens }]);
  });

  it('is refused also where the certificate that came with it cannot be used', async () => {
    using tls = await startApi({}, { tls: selfSigned() });
    writeTls(tls.directory, { cert: 'none', key: 'none' });
    mountSecret(tls.directory, { write: `${another}\n` });
    const uses = (token: string) =>
      JSON.stringify(tls.log.lines).includes(`"tokens":["write ${idOfToken(token)}"]`);
    await expect.poll(() => uses(another), soon).toBe(true);
    expect(tls.podState.warnings.map(({ what }) => what)).toEqual([
      expect.stringMatching(/^The API keeps the certificate that it had: .*tls\.crt/),
    ]);
    expect(tls.podState.apiFault).toBeUndefined();
  });
});

describe('a Secret that', () => {
  type Break = (directory: string) => void;
  const beDirectory: Break = (at) => {
    rmSync(join(at, 'write'));
    mkdirSync(join(at, 'write'));
  };
  it.each<[string, Break, RegExp]>([
    ['has no keys any more', (at) => mountSecret(at, {}), /there is no token in/],
    ['holds empty files', (at) => mountSecret(at, { write: '', read: '\n' }), /there is no token in/],
    ['holds comments only', (at) => mountSecret(at, { write: '# none\n' }), /there is no token in/],
    [
      'has a mistake in one line',
      (at) => mountSecret(at, { ...usualSecret, write: 'short\n' }),
      /shorter than 16/,
    ],
    [
      'has a letter that no header can carry',
      (at) => mountSecret(at, { read: 'ä-0123456789abcdef\n' }),
      /no HTTP header/,
    ],
    ['is no file', beDirectory, /write cannot be read \(EISDIR\)/],
    ['has gone with its directory', (at) => rmSync(at, { recursive: true }), /there is no token in/],
  ])(
    '%s refuses every client, says so, and all is well when it is',
    async (_, breakIt, why) => {
      const cookie = await signIn();
      const stream = await follow(readToken);
      breakIt(api.directory);
      await expect.poll(() => statusWith(writeToken), soon).toBe(503);
      const asked = [
        api.ask('GET', '/v1/jobs', { token: '' }),
        api.ask('GET', '/v1/jobs', { token: '', headers: { cookie } }),
        api.ask('POST', '/v1/session', { token: '', body: { token: writeToken } }),
        api.ask('POST', '/v1/token', { token: writeToken }),
        ...Array.from({ length: 30 }, (__, guess) =>
          api.ask('GET', '/v1/jobs', { token: `wrong-0123456789-${guess}` }),
        ),
      ];
      for (const { status, json } of await Promise.all(asked))
        expect({ status, type: json.type }).toEqual({ status: 503, type: '/v1/problems#no-tokens' });
      await expect.poll(() => stream.ended, soon).toBe(true);
      expect(api.podState.apiFault).toMatch(/^FLUX_POD_API_TOKENS: /);
      expect(api.podState.apiFault).toMatch(why);
      expect(messages()).toContain(`error The API refuses every client: ${api.podState.apiFault}`);

      rmSync(api.directory, { recursive: true, force: true });
      mkdirSync(api.directory);
      mountSecret(api.directory, usualSecret);
      // Who was right while nobody was let in has not become a guesser by it.
      await expect.poll(() => statusWith(writeToken), soon).toBe(200);
      expect((await api.ask('GET', '/v1/session', { token: '', headers: { cookie } })).status).toBe(200);
      expect(api.podState.apiFault).toBeUndefined();
      expect(api.podState.warnings.map(({ what }) => what)).toEqual([
        expect.stringMatching(/^The API refuses every client: /),
        'The API reads its tokens again, and admits clients that have one',
      ]);
      // What has taken the place of the watched directory is watched.
      mountSecret(api.directory, { write: `${another}\n` });
      await expect.poll(() => statusWith(writeToken), soon).toBe(401);
    },
    60_000,
  );

  it('is exchanged again and again by the kubelet is never found broken in the middle', async () => {
    let exchanged = 0;
    const exchange = async () => {
      for (; exchanged < 40; exchanged++) {
        mountSecret(api.directory, { ...usualSecret, ...(exchanged % 2 && { read: `${another}\n` }) });
        await statusWith(writeToken);
      }
    };
    const asking = async () => {
      while (exchanged < 40) expect(await statusWith(writeToken)).toBe(200);
    };
    await Promise.all([exchange(), asking()]);
    await expect.poll(() => statusWith(another), soon).toBe(200);
    expect(api.podState.warnings).toEqual([]);
  });
});

describe('a Secret that cannot be watched', () => {
  it('is polled', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'flux-pod-secret-'));
    writeFileSync(join(directory, 'write'), `${writeToken}\n`);
    const sources = configurationOf({ api: 'on', apiTokens: directory });
    const log = recordedLog();
    let handlers: WatchHandlers | undefined;
    const followed = followCredentials({
      sources,
      credentials: readCredentials(sources),
      podState: createPodState(sources, []).writer,
      onChange: () => undefined,
      log,
      watchPaths: (_, given) => {
        handlers = given;
        return async () => undefined;
      },
    });
    try {
      handlers?.onError(new Error('ENOSPC: System limit for number of file watchers reached'));
      expect(log.lines[0]?.[1]).toMatch(/^Cannot watch .*: polling every 2 s/);
      writeFileSync(join(directory, 'write'), `${another}\n`);
      await expect.poll(() => followed.now().tokens?.map(({ id }) => id), soon).toEqual([idOfToken(another)]);
    } finally {
      followed.close();
      rmSync(directory, { recursive: true });
    }
  });
});
