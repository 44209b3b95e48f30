import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatCertificate } from '../../../agent/broker/certificate/curve-certificate.ts';
import { createCertificate } from '../../../agent/broker/certificate/key-pair.ts';
import { fluxPod, get, probe, type Said, statusOf, until } from '../../support/bed/ask-pod.ts';
import { type Bed, bedUnavailable, createBed } from '../../support/bed/bed.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { type Flux, firstChoice, installFluxPod } from '../../support/project/flux-pod.ts';

const unavailable = bedUnavailable();
if (unavailable) console.warn(`SKIPPED: attach to brokers in whole pods. ${unavailable}`);

const certificate = formatCertificate(createCertificate({ name: 'theirs' }));

/** A configuration that is written by hand; only root can read the certificate. */
const brokerToml = `[bootstrap]
curve_cert = "/run/curve.cert"
default_port = 8050
default_bind = "tcp://eth0:%p"
default_connect = "tcp://%h.flux-service.default.svc.cluster.local:%p"
hosts = [{ host = "theirs-[0-1]" }]
[tbon]
topo = "kary:2"
[resource]
noverify = true
[[resource.config]]
hosts = "theirs-[0-1]"
cores = "0-1"
`;

const asGuest = ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups'];
const guests = '[access]\nallow-guest-user = true\n';

const probes = ['startupz', 'livez', 'readyz'] as const;
const refused: Said = { ok: false, why: 'the port is closed' };
const askAll = (pod: Pod) => Promise.all(probes.map((name) => probe(pod, name).catch(() => refused)));
const all = (ok: boolean) => (said: readonly Said[]) => said.every((one) => one.ok === ok);

describe.skipIf(unavailable)('flux-pod attach beside a broker', { concurrent: true }, () => {
  const flux = firstChoice();
  let bed: Bed;
  beforeAll(async () => {
    bed = await createBed();
  });
  afterAll(() => bed?.close());

  /** A pod whose PID 1 is a shell that reads its commands from stdin: what starts brokers. */
  const startPod = (cluster: string, index: number, where = bed) =>
    where.startPod({
      cluster,
      index,
      stdin: 'pipe',
      command: ['sh'],
      mounts: {
        '/run/broker.toml': { content: brokerToml },
        '/run/guests.toml': { content: guests },
        '/run/theirs-guests.toml': { content: `${guests}${brokerToml}` },
        '/run/curve.cert': { content: certificate, mode: 0o600 },
        '/run/flux/.keep': { content: '' },
      },
    });

  it('answers 503 without it, 200 with it, 503 when it was killed, and 200 with the next; ends with 143', async () => {
    const pod = startPod('alone', 0);
    const attached = fluxPod(pod, 'attach');
    const nowhere =
      'there is no broker yet: no such socket: /mnt/flux/config/run/flux/local, /run/flux/local';
    // The server listens before the sockets have been looked for.
    const before = await until(
      () => askAll(pod),
      (said) => said.every(({ why }) => why === nowhere),
    );
    expect(before.answer).toEqual(probes.map(() => expect.objectContaining({ ok: false, why: nowhere })));
    expect((await fluxPod(pod, 'probe', 'ready')).stdout).toBe(`${nowhere}\n`);
    expect((await fluxPod(pod, 'status')).stdout).toMatch(/^waiting for +a broker, seen: no such socket/m);

    startBroker(pod, flux);
    const up = await until(() => askAll(pod), all(true));
    expect(up.answer[2]?.why).toBe('the instance runs');
    // A broker on a busy machine may once not answer within 200 ms.
    const { answer: first } = await until(
      () => statusOf(pod),
      ({ broker }) => broker?.answers === true,
    );
    expect(first).toMatchObject({
      pod: { name: 'alone-0', cluster: 'alone', index: 0, address: pod.address },
      attachment: { socket: '/run/flux/local' },
      instance: { rank: 0, size: 1, quorum: 1 },
      broker: { state: 'run', restarts: 0 },
    });
    await until(
      () => fluxPod(pod, 'probe', 'live'),
      ({ stdout }) => stdout === 'the broker answers: run\n',
    );

    await pod.exec(['kill', '-KILL', String(first.broker?.pid)]);
    // Its connection ends first; what is at the socket then is known with the next try.
    const killed = { ok: false, why: 'the broker has exited: /run/flux/local: nothing listens there' };
    const gone = await until(
      () => askAll(pod),
      (said) => said.every(({ why }) => why === killed.why),
    );
    expect(gone.answer).toEqual(probes.map(() => expect.objectContaining(killed)));
    expect((await get(pod, '/metrics')).text).toMatch(/^flux_pod_broker_answers 0$/m);

    startBroker(pod, flux);
    await until(() => askAll(pod), all(true));
    const second = await statusOf(pod);
    expect(second.broker).toMatchObject({ state: 'run', restarts: 1 });
    expect(second.broker?.pid).not.toBe(first.broker?.pid);

    await pod.exec(['kill', '-TERM', String(attachPid(pod))]);
    const { code, stderr } = await attached;
    expect(code, stderr).toBe(143);
    expect(stderr).toMatch(/"msg":"The broker no longer answers"/);
    const left = pod.processes().map(({ pid }) => pid);
    expect(left, 'the broker was left alone').toContain(second.broker?.pid);
    await pod.remove();
  });

  it('tells rank, parent, tree and jobs of brokers that it has not configured; a shell finds them', async () => {
    const [leader, follower] = [startPod('theirs', 0), startPod('theirs', 1)];
    for (const pod of [leader, follower])
      startBroker(pod, flux, { jobs: true, options: ['--config-path=/run/broker.toml'] });
    for (const pod of [leader, follower]) void fluxPod(pod, 'attach', '--socket', 'local:///run/flux/local');
    for (const pod of [leader, follower]) await until(() => askAll(pod), all(true));

    expect((await fluxPod(follower, 'status')).stdout).toMatch(
      /^parent +rank 0, theirs-0\.flux-service\.default\.svc\.cluster\.local$/m,
    );
    // What a busy broker does not answer in time is left out.
    await until(
      () => fluxPod(leader, 'status'),
      ({ stdout }) =>
        /^instance +rank 0 of 2, quorum 2, topology kary:2$/m.test(stdout) &&
        /^resources +2 nodes, 4 cores, 0 GPUs$/m.test(stdout) &&
        /^overlay +0 theirs-0: full\n +└─ 1 theirs-1: full$/m.test(stdout),
    );
    await until(
      () => get(leader, '/metrics'),
      ({ text }) => /^flux_pod_nodes_online 2$/m.test(text) && /^flux_pod_jobs\{state="run"\} 0$/m.test(text),
    );
    const path = `PATH=${join(flux.path, '..')}:/usr/bin:/bin`;
    const shell = ['env', path, join(installFluxPod(), 'flux-pod'), 'shell', '--', 'flux', 'getattr', 'rank'];
    expect(await follower.exec(shell)).toMatchObject({ code: 0, stdout: '1\n' });
    await Promise.all([leader.remove(), follower.remove()]);
  });

  it('ends with 0 when the broker has not come back in time, with the sentence for the termination log', async () => {
    const pod = startPod('linger', 0);
    startBroker(pod, flux);
    const attached = fluxPod(pod, 'attach', '--linger', '300ms');
    await until(() => askAll(pod), all(true));
    await pod.exec(['kill', '-TERM', String((await statusOf(pod)).broker?.pid)]);
    const { code, stderr } = await attached;
    expect(code, stderr).toBe(0);
    expect(stderr, 'an end in order is no warning').not.toMatch(/"level":"warn"/);
    expect(stderr).toMatch(/"msg":"The broker has exited"/);
    expect(pod.terminationLog()).toBe(
      'There is no broker any more: none has started again within 0.3 s (FLUX_POD_LINGER) (exit 0)\n',
    );
    await pod.remove();
  });

  // The stand-in admits all who can open its socket.
  it.skipIf(!flux.real)('says that it is not the user who may watch', async () => {
    const pod = startPod('guest', 0);
    pod.stdin?.write('chown 1000 /run/flux\n');
    const asOther = 'setpriv --reuid=1000 --regid=1000 --clear-groups';
    startBroker(
      pod,
      { ...flux, path: `${asOther} ${flux.path}` },
      { options: ['--config-path=/run/guests.toml'] },
    );
    void fluxPod(pod, 'attach');
    await until(
      () => probe(pod, 'readyz').catch(() => refused),
      ({ why }) => /only user 1000, its owner, may watch the broker, not user 0$/.test(why),
    );
    await pod.remove();
  });

  // Before the parent has accepted it, a broker answers every guest that asks for its state, and refuses to stream it.
  it.skipIf(!flux.real)('says so of a broker as well that it meets before that has joined', async () => {
    await using other = await createBed();
    const [leader, follower] = [startPod('theirs', 0, other), startPod('theirs', 1, other)];
    const options = ['--config-path=/run/theirs-guests.toml'];
    startBroker(follower, flux, { options });
    void follower.exec([...asGuest, join(installFluxPod(), 'flux-pod'), 'attach']);
    const refusal = /only user 0, its owner, may watch the broker, not user 1000$/;
    const early = await until(
      () => askAll(follower),
      (said) => said.some(({ ok }) => ok) || said.every(({ why }) => refusal.test(why)),
    );
    expect(early.answer).toEqual(
      probes.map(() => expect.objectContaining({ ok: false, why: expect.stringMatching(refusal) })),
    );
    startBroker(leader, flux, { options });
    void fluxPod(leader, 'attach');
    await until(() => askAll(leader), all(true));
    await until(
      () => probe(follower, 'readyz'),
      ({ why }) => refusal.test(why),
    );
    await Promise.all([leader.remove(), follower.remove()]);
  });

  it('is refused beside another agent, which goes on', async () => {
    const pod = startPod('two', 0);
    void fluxPod(pod, 'attach');
    await until(
      () => askAll(pod),
      (said) => said.every(({ why }) => why !== refused.why),
    );
    const second = await fluxPod(pod, 'attach');
    expect(second.code).toBe(78);
    expect(second.stderr).toMatch(/an agent already serves in it/);
    expect((await get(pod, '/status')).status).toBe(200);
    await pod.remove();
  });
});

interface BrokerOptions {
  readonly options?: readonly string[];
  /** Whether it loads all that jobs need. */
  readonly jobs?: boolean;
}

/** Has the pod's shell start a broker. */
function startBroker(pod: Pod, flux: Flux, { options = [], jobs = false }: BrokerOptions = {}): void {
  const attributes = ['rundir=/run/flux', 'local-uri=local:///run/flux/local', 'broker.rc2_none=1'];
  if (!jobs) attributes.push('broker.rc1_path=', 'broker.rc3_path=');
  const words = [flux.path, 'broker', ...options, ...attributes.map((attribute) => `-S${attribute}`)];
  pod.stdin?.write(`rm -rf /run/flux/*; ${words.join(' ')} &\n`);
}

/** The agent is no child of the pod's shell: `kubectl exec` has brought it in. */
function attachPid(pod: Pod): number {
  const agent = pod
    .processes()
    .find(({ command, parent }) => parent === 0 && /^(node|MainThread)/.test(command));
  if (!agent) throw new Error(`There is no agent in ${JSON.stringify(pod.processes())}`);
  return agent.pid;
}
