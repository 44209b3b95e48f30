/**
 * Watches the mounted configuration and certificate, which the kubelet changes by swapping the symlink `..data`. Flux reloads what it can; a
 * change that needs a restart, or that is wrong, is a warning and changes nothing.
 */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parse, type TomlTable } from 'smol-toml';
import { writePrivate } from '../../broker/run-directory/private-file.ts';
import type { Configuration } from '../../config/configuration.ts';
import { environmentName, settingNames } from '../../config/settings.ts';
import { messageOf } from '../../errors.ts';
import type { FluxClient } from '../../flux/client.ts';
import { reloadConfig } from '../../flux/services/reload-config.ts';
import type { PodStateWriter } from '../../health/pod-state.ts';
import type { Log } from '../../log.ts';
import type { Lifecycle } from '../../pod/phase.ts';
import { pollMs, watchMounted } from '../../watch-mounted.ts';
import type { BrokerConnection } from '../broker/connection.ts';
import type { PreparedPod } from '../prepare/prepare-pod.ts';

/** How the configuration is read again when its file has changed. */
export interface Reread {
  /** The file of the settings, whether it exists or not. */
  readonly configFile: string;
  readonly reconfigure: () => Promise<Configuration>;
}

export interface MountsOptions {
  readonly configuration: Configuration;
  readonly pod: Pick<PreparedPod, 'membership' | 'directory' | 'brokerTomlOf' | 'certificate'>;
  readonly reread: Reread;
  readonly lifecycle: Pick<Lifecycle, 'current'>;
  readonly connection: Pick<BrokerConnection, 'client'>;
  readonly podState: PodStateWriter;
  readonly log: Log;
}

/** Parts of broker.toml that a broker reads only when it starts (flux-config-bootstrap(5), flux-config-tbon(5)). */
const onlyAtStart = ['bootstrap', 'tbon'];

/** Begins to watch. Returns the function that ends the watch. */
export function watchMounts(options: MountsOptions): () => Promise<void> {
  const { configuration, pod, reread } = options;
  const certificate = pod.certificate ? [configuration.curveCert] : [];
  const configurations = [reread.configFile, configuration.brokerConfig].filter((path) => path !== undefined);
  const paths = [...configurations, ...certificate].filter((path) => existsSync(path));
  if (paths.length === 0) return async () => undefined;

  const warn: Warn = (sentence) => {
    options.log('warn', sentence);
    options.podState.warn(sentence);
  };
  // One change after the other: two at once would write the same file.
  let turn: Promise<void> = Promise.resolve();
  const life = new AbortController();
  const changed = (path: string) => {
    const act = certificate.includes(path) ? certificateChanged : configurationChanged;
    turn = turn
      .then(() =>
        existsSync(path)
          ? act(options, warn, life.signal)
          : warn(`${path} is no longer there: the values read from it stay in use`),
      )
      .catch((error: unknown) => {
        // A file that is removed while it is read has another event.
        if (existsSync(path)) warn(`${path} has changed, and is not used: ${messageOf(error)}`);
      });
  };
  const watches = paths.map((path) =>
    watchMounted([path], {
      onChange: () => changed(path),
      onBlind: (why) => warn(`Cannot watch ${path}: polling every ${pollMs / 1000} s (${messageOf(why)})`),
    }),
  );
  return async () => {
    life.abort();
    await Promise.all(watches.map((end) => end()));
  };
}

type Warn = (sentence: string) => void;

async function certificateChanged(
  { configuration, pod, lifecycle }: MountsOptions,
  warn: Warn,
): Promise<void> {
  if (!(await pod.certificate?.isOutdated())) return;
  const path = configuration.curveCert;
  const runs = lifecycle.current().phase === 'broker';
  warn(
    `${path} holds another certificate: ${runs ? 'restart all pods together to use it' : 'the broker is going to start with it'}`,
  );
}

async function configurationChanged(options: MountsOptions, warn: Warn, ended: AbortSignal): Promise<void> {
  const { configuration: before, pod, reread } = options;
  const after = await reread.reconfigure();
  const needRestart = settingNames.filter(
    (name) => name !== 'brokerConfig' && JSON.stringify(after[name]) !== JSON.stringify(before[name]),
  );
  if (needRestart.length > 0)
    warn(`${needRestart.map(environmentName).join(', ')} changed: restart the pod to use the new value`);

  const { brokerToml } = pod.directory;
  const old = readFileSync(brokerToml, 'utf8');
  const text = pod.brokerTomlOf({ ...before, brokerConfig: after.brokerConfig });
  if (text === old) return;
  const changed = changedTables(parse(old), parse(text));
  const late = changed.filter((name) => onlyAtStart.includes(name));
  if (late.length > 0) warn(`${late.join(', ')} of broker.toml changed: restart the pod to use it`);
  writePrivate(brokerToml, text);
  if (changed.length === late.length) return;
  const broker = await runningBroker(options, ended);
  if (!broker) return;
  try {
    await reloadConfig(broker);
    warn(`The broker has reloaded ${changed.filter((name) => !late.includes(name)).join(', ')}`);
  } catch (error) {
    writePrivate(brokerToml, old);
    throw error;
  }
}

/** How often it is looked for. */
const brokerPollMs = 500;

/** The connection to the broker, as soon as there is one. Undefined where no broker runs: the next one starts with what is written. */
async function runningBroker(
  { lifecycle, connection }: MountsOptions,
  ended: AbortSignal,
): Promise<FluxClient | undefined> {
  while (!ended.aborted && lifecycle.current().phase === 'broker') {
    const client = connection.client();
    if (client) return client;
    await delay(brokerPollMs, undefined, { signal: ended }).catch(() => undefined);
  }
  return undefined;
}

function changedTables(before: TomlTable, after: TomlTable): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}
