/** What bootstrap needs, one check a line: what was found and, where it is not right, the remedy. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { checkKeyPair, isOperators, readMountedCertificate } from '../../agent/broker/curve-file.ts';
import { environmentFor, findFlux } from '../../agent/broker/find-flux.ts';
import type { Membership } from '../../agent/broker/membership.ts';
import { type RunDirectory, writeFault } from '../../agent/broker/run-directory.ts';
import type { Configuration } from '../../agent/config/configuration.ts';
import { createResolver } from '../../agent/dns/resolver.ts';
import { errnoOf, messageOf, PodError } from '../../agent/errors.ts';
import { offeredCores, readCpuAllowance } from '../../agent/pod/cpu-limit.ts';
import { systemNameservers } from '../../agent/pod/resolv-conf.ts';
import { askAgent } from '../running-pod/ask-agent.ts';

export interface Finding {
  readonly level: 'ok' | 'warn' | 'bad';
  readonly found: string;
  readonly remedy?: string | undefined;
}

export interface Patient {
  readonly configuration: Configuration;
  readonly membership: Membership;
  readonly directory: RunDirectory;
  readonly environment: NodeJS.ProcessEnv;
}

const ok = (found: string): Finding => ({ level: 'ok', found });
const warn = (found: string, remedy: string): Finding => ({ level: 'warn', found, remedy });
const bad = (found: string, remedy: string): Finding => ({ level: 'bad', found, remedy });

/** In the order in which a start needs them. A check that throws a PodError is bad, with that error's words. */
export const checks: Readonly<Record<string, (patient: Patient) => Finding | Promise<Finding>>> = {
  flux: ({ configuration, environment }) => {
    const flux = findFlux(configuration.flux, environment.PATH ?? '');
    const { stdout, status, error } = spawnSync(flux, ['version'], {
      env: environmentFor(flux, environment),
      encoding: 'utf8',
      timeout: 5000,
    });
    const version = /commands:\s*(.+)/.exec(stdout ?? '')?.[1];
    if (version) return ok(`${flux}, version ${version}`);
    const why = error ? messageOf(error) : `\`flux version\` exited with code ${status}`;
    return bad(`${flux}: ${why}`, 'Is it built for this image, with its libraries?');
  },

  certificate: async ({ configuration, membership }) => {
    if (membership.size === 1) return ok('a single broker needs none');
    const certificate = readMountedCertificate(configuration.curveCert);
    await checkKeyPair(configuration.curveCert, certificate);
    if (isOperators(configuration.curveCert))
      return warn(
        `${configuration.curveCert}: its keys belong together, but it is in a ConfigMap`,
        'Every user who may read ConfigMaps, or the log of this pod, has it. `flux-pod render` keeps it in a Secret.',
      );
    return ok(`${configuration.curveCert}: readable, safe, and its keys belong together`);
  },

  address: ({ configuration }) => ok(`${configuration.address}, hostname ${configuration.hostname}`),

  port: async ({ configuration, directory }) => {
    const { address, port } = configuration;
    if (existsSync(directory.socket)) return ok(`${address}:${port} is the running broker's`);
    const server = createServer();
    try {
      server.listen({ host: address, port, exclusive: true });
      await once(server, 'listening');
      return ok(`${address}:${port} is free`);
    } catch (error) {
      return bad(
        `${address}:${port} cannot be used: ${errnoOf(error)}`,
        'Set FLUX_POD_PORT to a free port, the same in all pods.',
      );
    } finally {
      server.close();
    }
  },

  'run-time directory': ({ directory }) => {
    if (existsSync(directory.agentSocket)) return ok(`${directory.path} is the running agent's`);
    const fault = writeFault(directory.path);
    if (fault === undefined) return ok(`${directory.path} can be written`);
    return bad(`${directory.path} cannot be used: ${fault}`, 'Set FLUX_POD_DIR to the mount of an emptyDir.');
  },

  'state directory': ({ configuration, membership }) => {
    const { stateDir } = configuration;
    if (stateDir === undefined) return ok('none: the job queue ends with the leader');
    if (membership.rank !== 0) return ok(`${stateDir} is the leader's`);
    try {
      accessSync(stateDir, constants.W_OK);
      return ok(`${stateDir} can be written`);
    } catch (error) {
      return bad(`${stateDir}: ${errnoOf(error)}`, 'Mount a volume there that this user can write.');
    }
  },

  /** Queried with unassigned types: an address is never queried before the name exists, not even here. */
  'own name': (patient) => nameCheck(patient, patient.membership.host),
  'parent name': (patient) =>
    patient.membership.parent
      ? nameCheck(patient, patient.membership.parent.host)
      : ok('the leader has no parent'),

  cpus: () => {
    const allowance = readCpuAllowance();
    const limit = allowance.limit === undefined ? 'no CPU limit' : `a limit of ${allowance.limit} CPUs`;
    const found = `${allowance.cores} cores in the cpuset, ${limit}: ${offeredCores(allowance)} are offered to jobs`;
    if (allowance.limit === undefined || allowance.limit >= 1) return ok(found);
    return warn(found, 'Give the container at least one CPU: the broker itself needs a part of it.');
  },

  'pid 1': () => {
    const name = readFileSync('/proc/1/comm', 'utf8').trim();
    if (/^(tini|catatonit|dumb-init|sh|dash|bash|systemd|init|flux-pod)$/.test(name))
      return ok(`${name}, which reaps orphans`);
    return warn(
      `${name}, which may not reap orphans`,
      'Use flux-pod itself as the command of the container.',
    );
  },

  agent: async ({ directory }) => {
    try {
      const { body } = await askAgent(directory, '/readyz');
      const { ok: ready, why } = JSON.parse(body);
      return ready ? ok(why) : warn(why, '`flux-pod status` has more.');
    } catch (error) {
      if (!(error instanceof PodError)) throw error;
      return warn(error.message, 'Nothing is wrong with that before `flux-pod run`.');
    }
  },
};

async function nameCheck({ configuration, membership }: Patient, host: string): Promise<Finding> {
  if (membership.dnsSuffix === '') return ok(`${host} needs no Service`);
  const name = `${host}${membership.dnsSuffix}`;
  const servers = configuration.nameservers ?? systemNameservers();
  const question = { name, type: `UNKNOWN_${65_280 + (process.pid % 250)}` };
  const reply = await createResolver(servers).ask(question, AbortSignal.timeout(5000));
  if (!reply) {
    const asked = servers.map((server) => server.host).join(', ');
    return bad(
      `no name server answers (${asked})`,
      'Is the cluster DNS reachable from this pod, and no NetworkPolicy in the way?',
    );
  }
  if (reply.rcode === 'NOERROR') return ok(`${name} exists`);
  return warn(
    `${name}: ${reply.rcode}`,
    'Does the headless Service select the pods, have publishNotReadyAddresses: true, and is it the pods’ subdomain?',
  );
}

/** All checks, one after the other. */
export async function examine(patient: Patient): Promise<readonly (Finding & { readonly name: string })[]> {
  const findings = [];
  for (const [name, check] of Object.entries(checks)) {
    const finding = await Promise.resolve()
      .then(() => check(patient))
      .catch((error: unknown): Finding => {
        if (error instanceof PodError) return { level: 'bad', found: error.message, remedy: error.hint };
        return {
          level: 'bad',
          found: messageOf(error),
          remedy: 'This check itself failed: please report it.',
        };
      });
    findings.push({ name, ...finding });
  }
  return findings;
}
