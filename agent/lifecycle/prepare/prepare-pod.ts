import { existsSync } from 'node:fs';
import type { HostPort } from '../../address.ts';
import type { PreparedApi } from '../../api/prepare-api.ts';
import type { CurveCertificate } from '../../broker/certificate/curve-certificate.ts';
import { readMountedCertificate } from '../../broker/certificate/mounted-certificate.ts';
import { type CertificateInUse, useCertificate } from '../../broker/certificate/private-copy.ts';
import { brokerConfig } from '../../broker/config/broker-config.ts';
import { lowRanksModule } from '../../broker/config/low-ranks.ts';
import { isElastic } from '../../broker/elastic.ts';
import { environmentFor, findFlux } from '../../broker/find-flux.ts';
import { findSchedSimple } from '../../broker/find-scheduler.ts';
import { instanceName, type Membership, membershipOf } from '../../broker/membership.ts';
import { brokerArguments } from '../../broker/process/command-line.ts';
import { initialProgram } from '../../broker/process/initial-program.ts';
import { writePrivate } from '../../broker/run-directory/private-file.ts';
import type { RunDirectory } from '../../broker/run-directory/run-directory.ts';
import { linkFromOperatorSocket } from '../../broker/run-directory/socket-links.ts';
import { makeStateDirectory } from '../../broker/run-directory/state-directory.ts';
import type { Configuration } from '../../config/configuration.ts';
import { messageOf } from '../../errors.ts';
import type { PodStateWriter } from '../../health/pod-state.ts';
import type { Log } from '../../log.ts';

/** All that the start of this pod's broker takes, again and again. */
export interface PreparedPod {
  readonly membership: Membership;
  readonly directory: RunDirectory;
  readonly flux: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly brokerArguments: readonly string[];
  /** Writes broker.toml, with the parent's verified address on a follower. */
  readonly writeBrokerToml: (parentAddress?: HostPort) => void;
  /** Its text where the configuration were `changed`, with the parent's address that was written last. */
  readonly brokerTomlOf: (changed: Configuration) => string;
  /** Undefined where the instance has one broker, and no certificate is mounted that can be used. */
  readonly certificate: CertificateInUse | undefined;
  /** Of the instance's parent links, made from the certificate in use. */
  readonly linkKey: () => Promise<Buffer>;
  /** Of the MiniCluster's controller links, in the same way. */
  readonly controllerKey: () => Promise<Buffer>;
}

/** Finds flux, checks the certificate and everything else that can be wrong, and writes the files that the broker reads. Throws a PodError. */
export async function preparePod(
  configuration: Configuration,
  command: readonly string[],
  environment: NodeJS.ProcessEnv,
  openDirectory: () => Promise<RunDirectory>,
  log: Log,
): Promise<PreparedPod> {
  const membership = membershipOf(configuration);
  const flux = findFlux(configuration.flux, environment.PATH ?? '');
  const mounted =
    membership.size > 1
      ? readMountedCertificate(configuration.curveCert)
      : readForLinks(configuration.curveCert, log);
  const directory = await openDirectory();
  if (membership.rank === 0 && configuration.stateDir) makeStateDirectory(configuration.stateDir);
  linkFromOperatorSocket(directory, (sentence) => log('info', sentence));
  const program = initialProgram(configuration, command, directory.batchScript);

  const inUse = mounted && useCertificate(configuration.curveCert, directory.curveCert, mounted);
  // No broker reads that of a single one, and the key of links is made from the secret key alone.
  const certificate = inUse && membership.size === 1 ? { ...inUse, check: async () => undefined } : inUse;
  if (program.script !== undefined) writePrivate(directory.batchScript, program.script);
  const scheduler = writeScheduler(configuration, membership, flux, directory);
  let parentAddress: HostPort | undefined;
  const brokerTomlOf = (changed: Configuration) =>
    brokerConfig(changed, membership, directory.curveCert, parentAddress, scheduler);
  const writeBrokerToml = (address?: HostPort) => {
    parentAddress = address;
    writePrivate(directory.brokerToml, brokerTomlOf(configuration));
  };
  writeBrokerToml();
  const secretKey = () => {
    if (!certificate) throw new Error('a single broker without a certificate has no links');
    return certificate.secretKey();
  };
  return {
    membership,
    directory,
    flux,
    environment: environmentFor(flux, environment),
    brokerArguments: brokerArguments(configuration, membership, directory, program.argv),
    writeBrokerToml,
    brokerTomlOf,
    certificate,
    linkKey: async () => {
      const { instanceKey } = await import('../../link/key.ts');
      return instanceKey(secretKey(), instanceName(configuration, membership));
    },
    controllerKey: async () => {
      const { controllerKey } = await import('../../link/key.ts');
      return controllerKey(secretKey(), configuration);
    },
  };
}

/** A single broker has no peers. Its controller links have a certificate where the controller has mounted it, and are no reason to exit. */
function readForLinks(path: string, log: Log): CurveCertificate | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return readMountedCertificate(path);
  } catch (error) {
    log('warn', `${messageOf(error)}: a single broker runs without it, and takes no links of a controller`);
    return undefined;
  }
}

/** The module by which Flux's own scheduler takes low ranks first; undefined where there is no need of it, or no such scheduler. */
function writeScheduler(
  configuration: Configuration,
  { rank }: Membership,
  flux: string,
  { scheduler }: RunDirectory,
): string | undefined {
  const schedSimple = rank === 0 && isElastic(configuration) ? findSchedSimple(flux) : undefined;
  if (schedSimple === undefined) return undefined;
  writePrivate(scheduler, lowRanksModule(schedSimple));
  return scheduler;
}

/** Checks the credentials of the API, where it is enabled and this is the leader. Throws a PodError (exit 78). */
export async function prepareApiOf(
  { membership, directory, environment }: PreparedPod,
  configuration: Configuration,
  podState: PodStateWriter,
  log: Log,
): Promise<PreparedApi | undefined> {
  if (configuration.api === 'off' || membership.rank !== 0) return undefined;
  const { prepareApi } = await import('../../api/prepare-api.ts');
  const { tree } = membership;
  return prepareApi({ configuration, socketPath: directory.socket, tree, environment, podState, log });
}
