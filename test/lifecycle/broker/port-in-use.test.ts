import { describe, expect, it } from 'vitest';
import { ExitCode } from '../../../agent/errors.ts';
import { assertPortIsFree } from '../../../agent/lifecycle/broker/port-in-use.ts';
import { listen } from '../../support/agent/parent-links.ts';

describe('the overlay port', () => {
  it('that another process listens on is named, with the setting that changes it', async () => {
    await using server = await listen(() => undefined);
    await expect(assertPortIsFree('127.0.0.1', server.port)).rejects.toMatchObject({
      exitCode: ExitCode.configuration,
      message: `Cannot use FLUX_POD_PORT=${server.port} on 127.0.0.1: something else listens there`,
      hint: expect.stringContaining('FLUX_POD_PORT'),
    });
  });

  it('of an address that this pod does not have is named with the reason', async () => {
    await expect(assertPortIsFree('192.0.2.1', 8050)).rejects.toThrow(
      'Cannot use FLUX_POD_PORT=8050 on 192.0.2.1: EADDRNOTAVAIL',
    );
  });

  it('that is free is free again after the check', async () => {
    const { port } = await (async () => {
      await using server = await listen(() => undefined);
      return server;
    })();
    await assertPortIsFree('127.0.0.1', port);
    await assertPortIsFree('127.0.0.1', port);
  });
});
