import { describe, expect, it } from 'vitest';
import { membershipOf } from '../../../agent/broker/membership.ts';
import { ExitCode } from '../../../agent/errors.ts';
import { findParent } from '../../../agent/lifecycle/parent/find-parent.ts';
import { configurationOf, type Given } from '../../support/agent/configuration.ts';
import { listen } from '../../support/agent/parent-links.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';

/** The search of rank 1 for a parent at 127.0.0.1. */
function search(port: number, set: Given = {}) {
  const configuration = configurationOf({
    size: 2,
    index: 1,
    address: '127.0.0.2',
    nameservers: '127.0.0.1:9',
    ...set,
  });
  const reasons: unknown[] = [];
  const stop = new AbortController();
  const found = findParent({
    parent: { rank: 0, host: 'mc-0', target: { host: '127.0.0.1', port } },
    membership: membershipOf(configuration),
    configuration,
    environment: {},
    keyMemory: {},
    log: recordedLog(),
    onWait: (reason) => void reasons.push(reason?.waitingFor),
    signal: stop.signal,
  });
  found.catch(() => undefined);
  return { found, reasons, stop };
}

/** A port at which nothing listens. */
async function closedPort(): Promise<number> {
  await using server = await listen(() => undefined);
  return server.port;
}

describe('the search for the parent', () => {
  it('ends with the address and port that accept a connection, and with no wait reason', async () => {
    await using server = await listen(() => undefined);
    const { found, reasons } = search(server.port);
    expect(await found).toMatchObject({ host: '127.0.0.1', port: server.port });
    expect(reasons.at(-1)).toBeUndefined();
  });

  it('ends with exit code 69 after FLUX_POD_PEER_TIMEOUT, and has the last wait reason', async () => {
    const { found, reasons } = search(await closedPort(), { peerTimeout: '50ms' });
    await expect(found).rejects.toMatchObject({
      exitCode: ExitCode.peersUnavailable,
      message: expect.stringMatching(/^The parent 127\.0\.0\.1 could not be reached within 0\.05 s \(.+\)$/),
    });
    expect(reasons.at(-1)).toBeUndefined();
  });

  it('ends with the reason of the signal where that aborts before', async () => {
    const { found, stop } = search(await closedPort(), { peerTimeout: 'inf' });
    stop.abort(new Error('stopped by SIGTERM'));
    await expect(found).rejects.toThrow('stopped by SIGTERM');
  });
});
