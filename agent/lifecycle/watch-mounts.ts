/**
 * Watches what is mounted into the pod, and the kubelet changes by swapping the symlink `..data`: the configuration and the certificate.
 * What Flux can reload is reloaded, what needs a restart is said, and what is broken changes nothing.
 */
import { existsSync, readFileSync } from 'node:fs';
import { parse, type TomlTable } from 'smol-toml';
import { brokerConfig } from '../broker/config/broker-config.ts';
import { writePrivate } from '../broker/run-directory/private-file.ts';
import type { Configuration } from '../config/configuration.ts';
import { environmentName, settingNames } from '../config/settings.ts';
import { messageOf } from '../errors.ts';
import type { FluxClient } from '../flux/client.ts';
import { reloadConfig } from '../flux/services/reload-config.ts';
import { addRemark, type Observations, phaseOf } from '../health/observations.ts';
import type { Log } from '../log.ts';
import { pollMs, watchMounted } from '../watch-mounted.ts';
import type { PreparedPod } from './prepare.ts';

/** How the configuration is read again when its file has changed. */
export interface Reread {
  /** The file of the settings, whether it is there or not. */
  readonly configFile: string;
  readonly reconfigure: () => Promise<Configuration>;
}

export interface MountsOptions extends Reread {
  readonly pod: PreparedPod;
  readonly observations: Observations;
  readonly client: () => FluxClient | undefined;
  readonly log: Log;
}

/** Parts of broker.toml that a broker reads only when it starts (flux-config-bootstrap(5), flux-config-tbon(5)). */
const onlyAtStart = ['bootstrap', 'tbon'];

/** Begins to watch. Returns what ends it. */
export function watchMounts(options: MountsOptions): () => Promise<void> {
  const { observations, pod, configFile } = options;
  const { configuration } = observations;
  const certificate = pod.membership.size > 1 ? [configuration.curveCert] : [];
  const configurations = [configFile, configuration.brokerConfig].filter((path) => path !== undefined);
  const paths = [...configurations, ...certificate].filter((path) => existsSync(path));
  if (paths.length === 0) return async () => undefined;

  const say = remarker(options);
  // One change after the other: two at once would write the same file.
  let turn: Promise<void> = Promise.resolve();
  const changed = (path: string) => {
    const act = certificate.includes(path) ? certificateChanged : configurationChanged;
    turn = turn
      .then(() =>
        existsSync(path) ? act(options, say) : say(`${path} has gone: what was read from it stays in use`),
      )
      .catch((error: unknown) => say(`${path} has changed, and is not used: ${messageOf(error)}`));
  };
  const watches = paths.map((path) =>
    watchMounted([path], {
      onChange: () => changed(path),
      onBlind: (why) => say(`Cannot watch ${path}, polling every ${pollMs / 1000} s: ${messageOf(why)}`),
    }),
  );
  return async () => void (await Promise.all(watches.map((end) => end())));
}

type Say = (what: string) => void;

function remarker({ observations, log }: MountsOptions): Say {
  return (what) => {
    log('warn', what);
    addRemark(observations, what);
  };
}

async function certificateChanged({ observations, pod }: MountsOptions, say: Say): Promise<void> {
  const path = observations.configuration.curveCert;
  if (!(await pod.certificate?.isOutdated())) return;
  const broker = phaseOf(observations).phase === 'broker';
  say(
    `${path} holds another certificate: ${broker ? 'restart all pods together to use it' : 'the broker is going to start with it'}`,
  );
}

async function configurationChanged(options: MountsOptions, say: Say): Promise<void> {
  const { observations, pod, reconfigure, client } = options;
  const before = observations.configuration;
  const after = await reconfigure();
  const needRestart = settingNames.filter(
    (name) => name !== 'brokerConfig' && JSON.stringify(after[name]) !== JSON.stringify(before[name]),
  );
  if (needRestart.length > 0)
    say(`${needRestart.map(environmentName).join(', ')} changed: restart the pod to use the new value`);

  const { brokerToml, curveCert } = pod.directory;
  const old = readFileSync(brokerToml, 'utf8');
  const used = { ...before, brokerConfig: after.brokerConfig };
  const text = brokerConfig(used, pod.membership, curveCert, observations.parentAddress);
  if (text === old) return;
  const changed = changedTables(parse(old), parse(text));
  const late = changed.filter((name) => onlyAtStart.includes(name));
  if (late.length > 0) say(`${late.join(', ')} of broker.toml changed: restart the pod to use it`);
  writePrivate(brokerToml, text);
  const broker = client();
  if (!broker || changed.length === late.length) return;
  try {
    await reloadConfig(broker);
    say(`The broker has reloaded ${changed.filter((name) => !late.includes(name)).join(', ')}`);
  } catch (error) {
    writePrivate(brokerToml, old);
    throw error;
  }
}

function changedTables(before: TomlTable, after: TomlTable): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}
