import type { Configuration } from '../../config/configuration.ts';
import type { Membership } from '../membership.ts';

/** The paths of the broker's run-time files. */
export interface BrokerPaths {
  readonly brokerToml: string;
  /** Flux's `rundir`. */
  readonly runDirectory: string;
  /** The local socket, at most 107 bytes (unix(7)). */
  readonly socket: string;
}

/** syslog levels of the broker's own log, by the agent's level (flux-broker(1), "LOGGING"). */
const stderrLevel = { trace: 7, debug: 7, info: 6, warn: 4, error: 3, fatal: 2, silent: -1 } as const;

/**
 * The arguments of `flux` that start this pod's broker: flux-broker(1), flux-broker-attributes(7). `program` is the
 * initial program on the leader, and empty where there is none.
 */
export function brokerArguments(
  configuration: Configuration,
  { rank, host, hostIsHostname }: Membership,
  paths: BrokerPaths,
  program: readonly string[],
): string[] {
  const leader = rank === 0;
  const attributes = {
    rundir: paths.runDirectory,
    'local-uri': `local://${paths.socket}`,
    ...logAttributes(configuration),
    ...(!hostIsHostname && { hostname: host }),
    ...(leader && { 'broker.quorum': String(configuration.minSize) }),
    ...(leader && program.length === 0 && { 'broker.rc2_none': '1' }),
    ...(leader && configuration.stateDir && { statedir: configuration.stateDir }),
  };
  return [
    'broker',
    `--config-path=${paths.brokerToml}`,
    ...Object.entries(attributes).map(([name, value]) => `-S${name}=${value}`),
    ...configuration.brokerOptions,
    ...(leader ? program : []),
  ];
}

/**
 * Each broker writes its own log to stderr. In mode `local` its lines begin with `<6>` and have no time, for systemd. For people they have a
 * time like the agent's lines: in mode `leader` a broker writes critical messages so, and all messages are critical here; none is forwarded
 * to the leader (flux-broker-attributes(7), flux-core src/broker/log.c, logbuf_append()).
 */
function logAttributes({ logFormat, logLevel }: Configuration): Record<string, string> {
  const level = String(stderrLevel[logLevel]);
  if (logFormat === 'json') return { 'log-stderr-mode': 'local', 'log-stderr-level': level };
  return {
    'log-stderr-mode': 'leader',
    'log-stderr-level': level,
    'log-critical-level': level,
    'log-forward-level': '-1',
  };
}
