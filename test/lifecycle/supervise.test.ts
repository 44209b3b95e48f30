import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRunDirectory } from '../../agent/broker/run-directory/run-directory.ts';
import { ExitCode, PodError } from '../../agent/errors.ts';
import { createHealth } from '../../agent/health/health.ts';
import { createBrokerConnection } from '../../agent/lifecycle/broker/connection.ts';
import { leader } from '../../agent/lifecycle/leader.ts';
import type { Exit } from '../../agent/lifecycle/machine.ts';
import { preparePod } from '../../agent/lifecycle/prepare/prepare-pod.ts';
import { type Services, startServices } from '../../agent/lifecycle/services/services.ts';
import type { Signals } from '../../agent/lifecycle/stop/signals.ts';
import { supervise } from '../../agent/lifecycle/supervise.ts';
import { createLog } from '../../agent/log.ts';
import type { ParentLinks } from '../../agent/parent-link/parent-end.ts';
import { createLifecycle } from '../../agent/pod/phase.ts';
import { fakeFlux } from '../support/agent/agent.ts';
import { configurationOf } from '../support/agent/configuration.ts';

const log = createLog({ level: 'silent', format: 'json', base: {} });
let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'flux-pod-supervise-'));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

interface Options {
  readonly flux?: string;
  readonly grace?: number;
  /** The check of the certificate, once the broker has started. */
  readonly check?: () => Promise<void>;
  /** In place of its own. */
  readonly services?: () => Promise<Services>;
  /** Called with what sends a signal, once that is listened to. */
  readonly signals?: (send: (signal: NodeJS.Signals) => void) => void;
}

/** Supervises a leader whose broker is its program alone. */
async function lead(command: readonly string[], options: Options = {}): Promise<Exit> {
  const flux = options.flux ?? join(place, 'flux');
  writeFileSync(join(place, 'flux'), fakeFlux, { mode: 0o755 });
  const configuration = configurationOf({ dir: join(place, 'run'), flux, http: 'off' });
  const lifecycle = createLifecycle(log);
  lifecycle.enter('prepare');
  const health = createHealth(configuration, lifecycle.history);
  const { podState } = health;
  const connection = createBrokerConnection(podState, log);
  const openDirectory = () => openRunDirectory(configuration.dir, () => undefined);
  const pod = await preparePod(configuration, command, process.env, openDirectory, log);
  const certificate = options.check && {
    check: options.check,
    renew: async () => undefined,
    isOutdated: async () => false,
    secretKey: () => '',
  };
  const signals: Signals = {
    stop: new AbortController().signal,
    stoppedBy: () => undefined,
    onStop: (listener) => options.signals?.(listener),
    forwardTo: () => undefined,
  };
  const { agentSocket } = pod.directory;
  const services = Promise.withResolvers<Services>();
  try {
    return await supervise(leader({ grace: options.grace ?? 25 }), {
      pod: { ...pod, certificate, linkKey: async () => Buffer.from('a key') },
      terminal: false,
      ...{ configuration, signals, lifecycle, podState, connection, log },
      startServices: () => {
        const own = () => startServices({ configuration, agentSocket, health, connection, log });
        services.resolve((options.services ?? own)());
        return services.promise;
      },
      reread: { configFile: '', reconfigure: async () => configuration },
    });
  } finally {
    void services.promise.then(({ close }) => close());
  }
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};

/** Of the process whose id is in a file. */
const isGone = (file: string): boolean => {
  const pid = readFileSync(file, 'utf8').trim();
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
};

/** A program that goes on until it is killed, with a child. Both write their process ids. */
const stubborn = () => {
  const [own, child] = [join(place, 'own'), join(place, 'child')];
  const text = `trap '' TERM; echo $$ >${own}; sleep 1000 & echo $! >${child}; touch ${place}/ran; wait; sleep 1000`;
  return {
    command: ['sh', '-c', text],
    runs: () => until(() => existsSync(join(place, 'ran'))),
    ownIsGone: () => isGone(own),
    childIsGone: () => isGone(child),
  };
};

describe('the shell of a leader', () => {
  it.each([0, 3, 143])('runs its broker, and exits with its code: %i', async (code) => {
    const { outcome, runsPost } = await lead(['sh', '-c', `exit ${code}`]);
    expect(outcome.code).toBe(code);
    expect(runsPost).toBe(true);
  });

  it('announces the outcome also where its program is over before the services are there', async () => {
    const pid = join(place, 'pid');
    const said: string[] = [];
    const links: ParentLinks = {
      extension: () => false,
      begin: () => said.push('begin'),
      announce: ({ kind }) => said.push(kind),
      interrupt: () => said.push('interrupt'),
      settled: async () => undefined,
    };
    const services = async (): Promise<Services> => {
      await until(() => existsSync(pid) && isGone(pid));
      await delay(50);
      return { links, close: () => undefined };
    };
    await lead(['sh', '-c', `echo $$ >${pid}.new; mv ${pid}.new ${pid}; exit 3`], { services });
    expect(said).toEqual(['begin', 'outcome']);
  });

  it('exits with 72 where flux cannot be executed', async () => {
    const notAProgram = join(place, 'text');
    writeFileSync(notAProgram, '#!/no/such/interpreter\n', { mode: 0o755 });
    expect(await lead(['true'], { flux: notAProgram })).toMatchObject({
      outcome: { code: ExitCode.noFlux },
      runsPost: false,
    });
  });

  it('starts no broker after a signal', async () => {
    const ran = join(place, 'ran');
    const exit = await lead(['touch', ran], { signals: (send) => send('SIGTERM') });
    expect(exit.outcome).toEqual({ code: 143, sentence: 'Stopped by SIGTERM' });
    expect(existsSync(ran)).toBe(false);
  });

  it('passes a signal on to its broker', async () => {
    const ran = join(place, 'ran');
    const exit = await lead(['sh', '-c', `touch ${ran}; exec sleep 1000`], {
      signals: (send) => void until(() => existsSync(ran)).then(() => send('SIGINT')),
    });
    expect(exit.outcome).toEqual({ code: 130, sentence: 'Stopped by SIGINT' });
  });

  it('kills a broker that does not exit within the grace period, with all that it has started', async () => {
    const { command, runs, ownIsGone, childIsGone } = stubborn();
    const exit = await lead(command, {
      grace: 0.1,
      signals: (send) => void runs().then(() => send('SIGTERM')),
    });
    expect(exit.outcome.code).toBe(143);
    expect(ownIsGone()).toBe(true);
    await until(childIsGone);
  });

  it('kills its broker before it exits where the certificate turns out to be damaged', async () => {
    const { command, runs, ownIsGone, childIsGone } = stubborn();
    const exit = await lead(command, {
      check: async () => {
        await runs();
        throw new PodError(ExitCode.certificate, 'it is damaged');
      },
    });
    expect(exit).toMatchObject({ outcome: { code: 77, sentence: 'it is damaged' }, runsPost: false });
    expect(ownIsGone()).toBe(true);
    await until(childIsGone);
  });
});
