import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { formatCertificate } from '../../../agent/broker/certificate/curve-certificate.ts';
import { createCertificate } from '../../../agent/broker/certificate/key-pair.ts';
import { openRunDirectory } from '../../../agent/broker/run-directory/run-directory.ts';
import type { Configuration } from '../../../agent/config/configuration.ts';
import { preparePod } from '../../../agent/lifecycle/prepare/prepare-pod.ts';
import { watchMounts } from '../../../agent/lifecycle/services/watch-mounts.ts';
import type { Phase } from '../../../agent/pod/phase.ts';
import { fakeFlux } from '../../support/agent/agent.ts';
import { configurationOf, type Given } from '../../support/agent/configuration.ts';
import { recordedLog } from '../../support/agent/recorded-log.ts';
import { type FakeClient, fakeClient } from '../../support/flux/fake-client.ts';

interface World {
  readonly client?: FakeClient;
  /** Instead of `client`: the connection as it is now. */
  readonly connection?: () => FakeClient | undefined;
  readonly phase?: Phase;
  /** Settings as they are read again. */
  readonly again?: Given;
}

/** A follower whose certificate and broker.toml are mounted, and watched. */
async function watched({ client, connection = () => client, phase = 'broker', again = {} }: World = {}) {
  const place = mkdtempSync(join(tmpdir(), 'flux-pod-mounts-'));
  onTestFinished(() => rmSync(place, { recursive: true, force: true }));
  const write = (name: string, text: string, mode = 0o644) => {
    writeFileSync(join(place, name), text, { mode });
    return join(place, name);
  };
  const set = {
    ...{ size: 2, index: 1, dir: join(place, 'run') },
    flux: write('flux', fakeFlux, 0o755),
    curveCert: write('curve.cert', formatCertificate(createCertificate({ name: 'mc' })), 0o400),
    brokerConfig: write('broker.toml', '[access]\nallow-guest-user = false\n'),
  };
  const configuration = configurationOf(set);
  const log = recordedLog();
  const openDirectory = () => openRunDirectory(configuration.dir, () => undefined);
  const pod = await preparePod(configuration, ['true'], process.env, openDirectory, log);
  pod.writeBrokerToml({ host: '10.0.0.7', port: 8050 });
  const warnings: string[] = [];
  const reconfigure = async (): Promise<Configuration> => configurationOf({ ...set, ...again });
  const end = watchMounts({
    ...{ configuration, pod, log },
    reread: { configFile: join(place, 'config.toml'), reconfigure },
    lifecycle: { current: () => ({ phase, since: 0 }) },
    connection: { client: connection },
    podState: { set: () => undefined, warn: (sentence) => void warnings.push(sentence) },
  });
  onTestFinished(end);
  const inUse = () => readFileSync(pod.directory.brokerToml, 'utf8');
  return { write, remove: (name: string) => rmSync(join(place, name)), warnings, inUse, log, place };
}

const soon = { timeout: 10_000 };

describe('a mounted broker.toml that changes', () => {
  it('is reloaded by the broker, and keeps the parent’s address', async () => {
    const client = fakeClient();
    const { write, warnings, inUse, log } = await watched({ client });
    write('broker.toml', '[access]\nallow-guest-user = true\n');
    await expect.poll(() => warnings, soon).toEqual(['The broker has reloaded access']);
    expect(log.lines.map(([level, sentence]) => [level, sentence])).toEqual([['warn', warnings[0]]]);
    expect(client.requests).toEqual([['config.reload', {}]]);
    expect(inUse()).toContain('allow-guest-user = true');
    expect(inUse()).toContain('10.0.0.7');
  });

  it('is written for the next broker where none runs', async () => {
    const { write, warnings, inUse } = await watched({ phase: 'await-parent' });
    write('broker.toml', '[access]\nallow-guest-user = true\n');
    await expect.poll(inUse, soon).toContain('allow-guest-user = true');
    expect(warnings).toEqual([]);
  });

  it('is reloaded by a broker that starts, once it can be reached', async () => {
    const client = fakeClient();
    let questions = 0;
    const { write, warnings, inUse } = await watched({
      connection: () => (++questions > 2 ? client : undefined),
    });
    write('broker.toml', '[access]\nallow-guest-user = true\n');
    await expect.poll(() => warnings, soon).toEqual(['The broker has reloaded access']);
    expect(inUse()).toContain('allow-guest-user = true');
  });

  it('changes nothing where the broker refuses it, and the warning has the broker’s words', async () => {
    const client = fakeClient({ 'config.reload': new Error('access.allow-guest-user must be boolean') });
    const { write, warnings, inUse, place } = await watched({ client });
    write('broker.toml', '[access]\nallow-guest-user = 3\n');
    await expect
      .poll(() => warnings, soon)
      .toEqual([
        `${place}/broker.toml has changed, and is not used: access.allow-guest-user must be boolean`,
      ]);
    expect(inUse()).toContain('allow-guest-user = false');
  });

  it('names the parts that need a restart', async () => {
    const client = fakeClient();
    const { write, warnings } = await watched({ client });
    write('broker.toml', '[access]\nallow-guest-user = false\n[tbon]\ntcp_user_timeout = "3s"\n');
    await expect
      .poll(() => warnings, soon)
      .toEqual(['tbon of broker.toml changed: restart the pod to use it']);
    expect(client.requests).toEqual([]);
  });

  it('that is removed stays in use', async () => {
    const { remove, warnings, inUse, place } = await watched();
    remove('broker.toml');
    await expect
      .poll(() => warnings, soon)
      .toEqual([`${place}/broker.toml is no longer there: the values read from it stay in use`]);
    expect(inUse()).toContain('allow-guest-user = false');
  });
});

describe('settings that change', () => {
  it('are named, and need a restart', async () => {
    const { write, warnings } = await watched({ again: { logLevel: 'debug', grace: '5s' } });
    write('broker.toml', '[access]\nallow-guest-user = false\n\n');
    await expect
      .poll(() => warnings.slice(0, 1), soon)
      .toEqual(['FLUX_POD_GRACE, FLUX_POD_LOG_LEVEL changed: restart the pod to use the new value']);
  });
});

describe('a mounted certificate that changes', () => {
  it.each<[Phase, string]>([
    ['broker', 'restart all pods together to use it'],
    ['await-parent', 'the broker is going to start with it'],
  ])('in phase %s: %s', async (phase, way) => {
    const { write, remove, warnings, place } = await watched({ phase });
    remove('curve.cert');
    write('curve.cert', formatCertificate(createCertificate({ name: 'mc' })), 0o400);
    await expect
      .poll(() => warnings.at(-1), soon)
      .toBe(`${place}/curve.cert holds another certificate: ${way}`);
  });
});
