import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../../package.json' with { type: 'json' };
import { type Bed, type BedOptions, bedUnavailable, createBed, type PodSpec } from '../../support/bed/bed.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { imageMounts, installFluxPod } from '../../support/project/flux-pod.ts';

const unavailable = bedUnavailable();
if (unavailable !== undefined) console.warn(`SKIPPED test/system/bed/bed.test.ts: ${unavailable}`);

const node = join(installFluxPod(), 'node');
/** Stays until it is killed, says when it is there, and dies of SIGTERM. */
const idle = ['sh', '-c', 'trap "exit 143" TERM; echo ready; sleep infinity & wait'];
/** Answers every connection, port 8050. */
const server = [
  node,
  '-e',
  `require('net').createServer((s) => s.end('hello')).listen(8050, () => console.log('ready'))`,
];
/** Says what one connection attempt to an address, port 8050, comes to; `swallowed` when nothing has come in this time. */
const probe = (address: string, ms = 60_000) => [
  node,
  '-e',
  `const socket = require('net').connect({ host: ${JSON.stringify(address)}, port: 8050 });
   const timer = setTimeout(() => { console.log('swallowed'); process.exit(0); }, ${ms});
   socket.on('connect', () => console.log('from', socket.localAddress));
   socket.on('data', (data) => console.log(String(data)));
   socket.on('error', (error) => console.log(error.code));
   socket.on('close', () => clearTimeout(timer));`,
];
/** Asks the nameserver in resolv.conf, by c-ares. */
const ask = (method: string, name: string) => [
  node,
  '-e',
  `require('dns').promises.${method}('${name}').then(console.log, (error) => console.log(error.code))`,
];

const service = 'flux-service.default.svc.cluster.local';
/** What there is on this machine of the beds of these names, each with what tells it from the same of a later bed: a name is taken again. */
const tracesOf = (...names: string[]) => {
  const directories = ['/run/netns', '/sys/class/net', tmpdir()].filter((directory) => existsSync(directory));
  const entries = directories.flatMap((path) => readdirSync(path).map((entry) => join(path, entry)));
  const processes = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid));
  const all = [...entries.flatMap(entryAt), ...processes.flatMap(commandLineOf)];
  return all.filter((trace) => names.some((name) => new RegExp(`\\b${name}\\b`).test(trace)));
};
function entryAt(path: string): string[] {
  const entry = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return entry ? [`${path}: inode ${entry.ino} of ${entry.birthtimeNs}`] : [];
}
function commandLineOf(pid: string): string[] {
  try {
    return [`process ${pid}: ${readFileSync(`/proc/${pid}/cmdline`, 'utf8')}`];
  } catch {
    return [];
  }
}
/** What is still there of these traces. */
const leftOf = (traces: readonly string[], ...names: string[]) =>
  tracesOf(...names).filter((trace) => traces.includes(trace));

describe.skipIf(unavailable !== undefined)('a bed of pods', { concurrent: true }, () => {
  let bed: Bed;
  let peer: Pod;
  let index = 10;
  const start = (spec: Partial<PodSpec> & Pick<PodSpec, 'command'>) => {
    index += 1;
    return bed.startPod({ cluster: 'mc', index, ...spec });
  };

  beforeAll(async () => {
    bed = await createBed();
    peer = bed.startPod({ cluster: 'mc', index: 0, command: server });
    await peer.waitForOutput(/ready/);
  });
  afterAll(() => bed.close());

  it('runs the command as PID 1, leader of its session, in a PID namespace of its own', async () => {
    const pod = start({
      command: ['sh', '-c', 'ps -o pid,sid,comm --no-headers -p $$; readlink /proc/self/ns/pid'],
    });
    expect(await pod.exited).toEqual({ code: 0 });
    expect(pod.stdout).toMatch(/^ +1 +1 sh\npid:/);
  });

  it('gives a pod the hostname and the files that a kubelet gives it', async () => {
    const pod = bed.startPod({
      cluster: 'mc',
      index: 3,
      command: ['sh', '-c', 'hostname; cat /etc/hosts /etc/resolv.conf'],
    });
    await pod.exited;
    const lines = pod.stdout.split('\n');
    expect(lines[0]).toBe('mc-3');
    expect(lines[1]).toBe('# Kubernetes-managed hosts file.');
    expect(lines).toContain(`${pod.address}\tmc-3.${service}\tmc-3`);
    expect(lines.slice(-4)).toEqual([
      'search default.svc.cluster.local svc.cluster.local cluster.local',
      `nameserver ${bed.nameserver.address}`,
      'options ndots:5',
      '',
    ]);
  });

  it('gives a pod the environment that Kubernetes sets, what the test asks for, and nothing else', async () => {
    const pod = bed.startPod({
      cluster: 'mc',
      index: 4,
      env: { FLUX_POD_SIZE: '2', EMPTY: '', ODD: 'a b\n$c' },
      command: [node, '-p', 'JSON.stringify(process.env)'],
    });
    await pod.exited;
    const { PATH, HOME, HOSTNAME, JOB_COMPLETION_INDEX, FLUX_POD_SIZE, EMPTY, ODD, ...rest } = JSON.parse(
      pod.stdout,
    );
    expect({ HOME, HOSTNAME, JOB_COMPLETION_INDEX }).toEqual({
      HOME: '/tmp',
      HOSTNAME: 'mc-4',
      JOB_COMPLETION_INDEX: '4',
    });
    expect([FLUX_POD_SIZE, EMPTY, ODD]).toEqual(['2', '', 'a b\n$c']);
    expect(PATH).toMatch(/^\/usr\/local\/sbin:/);
    expect(Object.keys(rest).filter((name) => !name.startsWith('KUBERNETES_'))).toEqual([]);
  });

  it('keeps what a pod writes from other pods and from the host', async () => {
    const places = [
      '/run/flux-pod-x',
      '/tmp/flux-pod-x',
      '/etc/flux-pod-x',
      '/etc/flux-pod/x',
      '/dev/shm/flux-pod-x',
    ];
    const pod = start({
      command: ['sh', '-c', `touch ${places.join(' ')} && ls /run /tmp; echo end >/dev/stderr`],
    });
    expect([await pod.exited, pod.stderr]).toEqual([{ code: 0 }, 'end\n']);
    expect((await peer.exec(['ls', ...places])).stdout).toBe('');
    expect(places.filter((path) => existsSync(path))).toEqual([]);
  });

  it('puts the files of the test where they are wanted, with their modes', async () => {
    const pod = start({
      mounts: {
        '/etc/flux-pod/curve/curve.cert': { content: 'secret', mode: 0o400 },
        '/run/script': { content: '#!/bin/sh\necho ran\n', mode: 0o755 },
      },
      command: [
        'sh',
        '-c',
        'stat -c %a:%U /etc/flux-pod/curve/curve.cert; cat /etc/flux-pod/curve/curve.cert; /run/script',
      ],
    });
    await pod.exited;
    expect(pod.stdout).toBe('400:root\nsecretran\n');
    expect(() => start({ mounts: { '/opt/x': { content: '' } }, command: ['true'] })).toThrow(
      'Cannot put "/opt/x" into a pod: only /etc, /run, /tmp, /mnt and /flux_operator are its own',
    );
  });

  it('puts them also where the host has no directory, which then neither has the host nor another pod', async () => {
    const pod = start({
      mounts: {
        '/flux_operator/script': { content: '#!/bin/sh\nls -A /mnt / | tr "\\n" " "', mode: 0o755 },
        '/mnt/flux/x': { content: '' },
        '/run/y': { content: '' },
      },
      command: ['sh', '-c', 'touch /tmp/z; ls /run /tmp; /flux_operator/script; echo; exec cat'],
      stdin: 'pipe',
    });
    await pod.waitForOutput(/flux_operator.*\n/);
    pod.stdin?.write('here\n');
    // From now on it is cat.
    await pod.waitForOutput(/here/);
    expect(pod.stdout).toMatch(/^\/run:\ny\n\n\/tmp:\nz\n/);
    expect(pod.stdout).toMatch(/\/mnt: flux/);
    const seen = await pod.exec(['cat', '/flux_operator/script', '/proc/1/comm']);
    expect(seen.stdout).toMatch(/^#!\/bin\/sh[\s\S]*cat\n$/);
    expect((await pod.exec(['ls', '/old'])).code).not.toBe(0);
    expect((await peer.exec(['ls', '/flux_operator'])).stdout).toBe('');
    expect(existsSync('/flux_operator')).toBe(false);
    await pod.kill();
  });

  it('makes a root directory from nothing: of the host a pod has what an image would hold, to read', async () => {
    const pod = start({
      command: [
        'sh',
        '-c',
        'cut -d " " -f 5,6 /proc/self/mountinfo; echo; find / -xdev ! -type d | sort; ls /sys/class/net',
      ],
    });
    expect(await pod.exited, pod.stderr).toEqual({ code: 0 });
    const [mounts = '', files = ''] = pod.stdout.split('\n\n');
    const own = /^(\/|\/proc|\/dev\/pts|\/dev\/termination-log|\/sys|\/sys\/fs\/cgroup.*) r[ow]/;
    const image = [
      ...['/usr', '/bin', '/sbin', '/etc/alternatives', '/etc/ld.so.conf.d', '/etc/ssl/certs'],
      ...imageMounts().map(({ to }) => to),
    ];
    for (const mount of mounts.split('\n').filter((line) => !own.test(line))) {
      const [path = '', options = ''] = mount.split(' ');
      expect(
        image.some((each) => path === each || path.startsWith(`${each}/`)) || /^\/lib[^/]*$/.test(path),
        path,
      ).toBe(true);
      if (image.includes(path)) expect(options, path).toMatch(/^ro/);
    }
    const copied =
      /^\/(etc\/(passwd|group|services|protocols|ld\.so\.cache|ld\.so\.conf)|s?bin|lib[^/]*|var\/run|dev\/.*)$/;
    expect(
      files
        .trim()
        .split('\n')
        .filter((path) => !copied.test(path)),
    ).toEqual(['/etc/hostname', '/etc/hosts', '/etc/nsswitch.conf', '/etc/resolv.conf', 'eth0', 'lo']);
  });

  it('shows a volume of the test, which outlives the pod', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'flux-pod-volume-'));
    try {
      const pod = start({
        volumes: { '/state/of it': directory },
        command: ['sh', '-c', 'echo kept >"/state/of it/x"'],
      });
      expect(await pod.exited, pod.stderr).toEqual({ code: 0 });
      expect(readFileSync(join(directory, 'x'), 'utf8')).toBe('kept\n');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('shows what a pod left in its termination log', async () => {
    const pod = start({ command: ['sh', '-c', 'echo why >/dev/termination-log'] });
    await pod.exited;
    expect(pod.terminationLog()).toBe('why\n');
  });

  it.each([0, 1, 7, 127, 143, 255])('sees PID 1 exit with code %i', async (code) => {
    const pod = start({ command: ['sh', '-c', `exit ${code}`] });
    expect(await pod.exited).toEqual({ code });
  });

  it('sees a command that does not exist as 127', async () => {
    const pod = start({ command: ['/no/such/command'] });
    expect(await pod.exited).toEqual({ code: 127 });
    expect(pod.stderr).toContain('/no/such/command');
  });

  it('delivers signals to PID 1, whose traps decide', async () => {
    const pod = start({
      command: ['sh', '-c', 'trap "echo hup; exit 5" HUP; echo ready; sleep infinity & wait'],
    });
    await pod.waitForOutput(/ready/);
    await pod.signal('SIGHUP');
    expect(await pod.exited).toEqual({ code: 5 });
    expect(pod.stdout).toBe('ready\nhup\n');
  });

  it('lets PID 1 ignore a signal that it has no handler for, as the kernel does', async () => {
    const pod = start({ stdin: 'pipe', command: ['sh', '-c', 'echo ready; read line; exit "$line"'] });
    await pod.waitForOutput(/ready/);
    await pod.signal('SIGTERM');
    pod.stdin?.end('3\n');
    expect(await pod.exited).toEqual({ code: 3 });
  });

  it('reports 137 for PID 1 killed, and nothing on its stderr', async () => {
    const pod = start({ command: idle });
    await pod.waitForOutput(/ready/);
    expect(await pod.kill()).toEqual({ code: 137 });
    expect(pod.stderr).toBe('');
    expect(pod.processes()).toEqual([]);
  });

  it('executes commands inside, with the code of their exit or signal', async () => {
    expect(await peer.exec(['sh', '-c', 'hostname; echo oops >&2; exit 4'])).toEqual({
      code: 4,
      stdout: 'mc-0\n',
      stderr: 'oops\n',
    });
    expect((await peer.exec(['sh', '-c', 'kill -KILL $$'])).code).toBe(137);
  });

  it('lists processes, also zombies', async ({ expect }) => {
    const pod = start({ command: ['sh', '-c', 'sleep 0 & exec sleep infinity'] });
    await pod.started;
    await expect
      .poll(() => pod.processes(), { interval: 5 })
      .toEqual([
        { pid: 1, parent: 0, state: 'S', command: 'sleep' },
        { pid: expect.any(Number), parent: 1, state: 'Z', command: 'sleep' },
      ]);
  });

  it('says what it saw when the output that is waited for cannot come', async () => {
    const pod = start({ command: ['sh', '-c', 'echo this; exit 2'] });
    await expect(pod.waitForOutput(/that/)).rejects.toThrow(
      /Cannot find \/that\/ .* ended with code 2; stdout: "this\\n"/,
    );
    await expect(peer.waitForOutput(/never/, 10)).rejects.toThrow('nothing came in 10 ms');
  });

  it('resolves a peer by its short name (glibc) and its full name (c-ares)', async () => {
    const pod = start({ command: idle });
    const glibc = await pod.exec(['getent', 'hosts', 'mc-0.flux-service']);
    expect(glibc.stdout).toMatch(new RegExp(`^${peer.address} +mc-0.${service}`));
    expect((await pod.exec(ask('resolve4', `mc-0.${service}`))).stdout).toContain(peer.address);
    expect((await pod.exec(ask('resolve4', `mc-99.${service}`))).stdout).toBe('ENOTFOUND\n');
    expect(bed.nameserver.queries).toContainEqual(
      expect.objectContaining({ from: pod.address, name: `mc-0.${service}`, type: 'A', rcode: 'NOERROR' }),
    );
  });

  it('connects pods, each from its own address', async () => {
    const pod = start({ command: idle });
    expect((await pod.exec(probe(peer.address))).stdout).toBe(`from ${pod.address}\nhello\n`);
  });

  it('publishes a pod after the given time', async () => {
    const startedAt = Date.now();
    const late = start({ command: idle, publishAfter: 600 });
    while ((await peer.exec(['getent', 'hosts', `${late.fqdn}`])).code !== 0);
    const answered = bed.nameserver.queries.filter(
      ({ name, type, rcode }) => name === late.fqdn && type === 'A' && rcode === 'NOERROR',
    );
    expect(answered.length).toBeGreaterThan(0);
    for (const { at } of answered) expect(at - startedAt).toBeGreaterThanOrEqual(600);
  });

  it('gives a pod without a Service no name in DNS, nor one that is never published', async () => {
    const nameless = start({ service: undefined, command: ['sh', '-c', 'tail -n 1 /etc/hosts'] });
    await nameless.exited;
    expect([nameless.stdout, nameless.fqdn]).toEqual([`${nameless.address}\t${nameless.name}\n`, undefined]);
    const unpublished = start({ command: idle, publishAfter: Number.POSITIVE_INFINITY });
    expect((await peer.exec(ask('resolve4', `${unpublished.fqdn}`))).stdout).toBe('ENOTFOUND\n');
  });

  it('swallows what goes to a pod whose link is down, until it is up again', async () => {
    const pod = start({ command: server });
    await pod.waitForOutput(/ready/);
    expect((await peer.exec(probe(pod.address))).stdout).toContain('hello');
    await pod.linkDown();
    expect((await peer.exec(probe(pod.address, 500))).stdout).toBe('swallowed\n');
    await pod.linkUp();
    expect((await peer.exec(probe(pod.address))).stdout).toContain('hello');
  });

  it('refuses connections at a killed pod, and swallows them at one that is removed', async () => {
    const pod = start({ command: server });
    await pod.waitForOutput(/ready/);
    await pod.kill();
    expect((await peer.exec(probe(pod.address))).stdout).toBe('ECONNREFUSED\n');
    expect((await peer.exec(['getent', 'hosts', `${pod.fqdn}`])).code).toBe(0);
    await pod.remove();
    expect((await peer.exec(probe(pod.address, 500))).stdout).toBe('swallowed\n');
    expect((await peer.exec(['getent', 'hosts', `${pod.fqdn}`])).code).toBe(2);
  });
});

describe.skipIf(unavailable !== undefined)('beds', { concurrent: true }, () => {
  it('set the hostname to the FQDN where the pod asks for that', async () => {
    await using bed = await createBed();
    const pod = bed.startPod({
      cluster: 'mc',
      index: 0,
      hostnameAsFqdn: true,
      command: ['sh', '-c', 'hostname; echo $HOSTNAME'],
    });
    await pod.exited;
    expect(pod.stdout).toBe(`mc-0.${service}\nmc-0.${service}\n`);
  });

  it.each<[string, BedOptions, Partial<PodSpec>, string]>([
    ['another domain', { domain: 'example.test' }, {}, 'mc-0.flux-service.default.svc.example.test'],
    ['another namespace and Service', {}, { namespace: 'hpc', service: 's' }, 'mc-0.s.hpc.svc.cluster.local'],
    ['IPv6 only', { ipv6Only: true }, {}, `mc-0.${service}`],
  ])('serve %s', async (_, options, spec, fqdn) => {
    await using bed = await createBed(options);
    const first = bed.startPod({ cluster: 'mc', index: 0, command: server, ...spec });
    await first.waitForOutput(/ready/);
    const second = bed.startPod({ cluster: 'mc', index: 1, command: idle, ...spec });
    const short = fqdn.split('.').slice(0, 2).join('.');
    expect((await second.exec(['getent', 'hosts', short])).stdout).toMatch(
      new RegExp(`^${first.address} +${fqdn}`),
    );
    expect((await second.exec(probe(fqdn))).stdout).toBe(`from ${second.address}\nhello\n`);
    expect(first.address).toMatch(options.ipv6Only ? /^fd88:/ : /^10\.88\./);
  });

  it('keep a negative answer for every client, for one type, though the record is there since', async () => {
    await using bed = await createBed({ dns: { negativeTtl: 30 } });
    const asker = bed.startPod({ cluster: 'mc', index: 1, command: idle });
    const late = bed.startPod({
      cluster: 'mc',
      index: 0,
      command: idle,
      publishAfter: Number.POSITIVE_INFINITY,
    });
    expect((await asker.exec(ask('resolve4', `${late.fqdn}`))).stdout).toBe('ENOTFOUND\n');
    bed.nameserver.publish(`${late.fqdn}`, late.address);
    expect((await late.exec(ask('resolve4', `${late.fqdn}`))).stdout).toBe('ENOTFOUND\n');
    expect((await late.exec(ask('resolveTxt', `${late.fqdn}`))).stdout).toBe('ENODATA\n');
  });

  it('swallow connections to the cached IPv6 address of a removed pod', async () => {
    await using bed = await createBed({ ipv6Only: true, dns: { positiveTtl: 30 } });
    const asker = bed.startPod({ cluster: 'mc', index: 1, command: idle });
    const pod = bed.startPod({ cluster: 'mc', index: 0, command: server });
    await pod.waitForOutput(/ready/);
    expect((await asker.exec(probe(`${pod.fqdn}`))).stdout).toContain('hello');
    await pod.remove();
    const again = bed.startPod({ cluster: 'mc', index: 0, command: server });
    await again.waitForOutput(/ready/);
    expect(again.fqdn).toBe(pod.fqdn);
    expect((await asker.exec(probe(`${pod.fqdn}`, 500))).stdout).toBe('swallowed\n');
    expect((await asker.exec(probe(again.address))).stdout).toContain('hello');
  });

  it('coexist, and leave nothing behind, whatever state their pods are in', async () => {
    const mountPoint = existsSync('/etc/flux-pod');
    const [one, two] = await Promise.all([createBed(), createBed()]);
    // Their names are on the command lines, where tracesOf finds the processes too.
    const pods = [one, two].map((bed) =>
      bed.startPod({ cluster: 'mc', index: 0, command: [...idle, bed.name] }),
    );
    await Promise.all(pods.map((pod) => pod.waitForOutput(/ready/)));
    expect(new Set(pods.map((pod) => pod.address)).size).toBe(2);
    one.startPod({ cluster: 'mc', index: 1, command: ['/no/such/command'] });
    one.startPod({ cluster: 'mc', index: 2, command: idle });
    expect(tracesOf(one.name).length).toBeGreaterThan(3);
    const traces = tracesOf(one.name, two.name);
    await one.close();
    await one.close();
    expect(await pods[0]?.exited).toEqual({ code: 137 });
    expect((await pods[1]?.exec(['getent', 'hosts', 'mc-0.flux-service']))?.code).toBe(0);
    await two.close();
    expect(leftOf(traces, one.name, two.name)).toEqual([]);
    expect(existsSync('/etc/flux-pod')).toBe(mountPoint);
  });

  it.each(['in a directory that pods have to themselves', '/mnt'])('work in a checkout %s', async (where) => {
    const scratch = mkdtempSync(join(tmpdir(), 'flux-pod-checkout-'));
    const checkout = where === '/mnt' ? where : join(scratch, 'a b');
    const [bed, fluxPod] = ['bed/bed.ts', 'project/flux-pod.ts'].map((file) =>
      join(checkout, 'test/support', file),
    );
    const script = `import { createBed } from ${JSON.stringify(bed)};
      import { installFluxPod } from ${JSON.stringify(fluxPod)};
      await using bed = await createBed();
      const words = installFluxPod() + '/flux-pod version && ls -A /etc/flux-pod /mnt /tmp';
      const pod = bed.startPod({ cluster: 'mc', index: 0, command: ['sh', '-c', words] });
      await pod.exited;
      console.log(pod.stdout + pod.stderr);`;
    // The checkout is there, and a file in /etc/flux-pod, for this one process and its pods.
    const prepare = `set -e; mount -t tmpfs tmpfs "$1"; mkdir "$1/a b"; cp -a /etc "$1"; mkdir -p "$1/etc/flux-pod"
      echo 'size = 7' >"$1/etc/flux-pod/config.toml"
      mount --rbind "$2" "$3"; mount --rbind "$1/etc" /etc; cd "$3"
      exec "$4" --input-type=module -e "$5"`;
    const words = ['--mount', 'sh', '-c', prepare, 'sh', scratch, process.cwd(), checkout, process.execPath];
    try {
      const run = spawn('unshare', [...words, script], { stdio: ['ignore', 'pipe', 'inherit'] });
      const [out] = await Promise.all([text(run.stdout), once(run, 'close')]);
      expect(out.trim()).toBe(`${packageJson.version}\n/etc/flux-pod:\n\n/mnt:\n\n/tmp:`);
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });

  it('die with a test runner that is killed; the next one sweeps up', async ({ expect }) => {
    const support = fileURLToPath(new URL('../../support/bed/bed.ts', import.meta.url));
    const script = `import { createBed } from ${JSON.stringify(support)};
      const bed = await createBed();
      const pod = bed.startPod({ cluster: 'mc', index: 0, command: ['sh', '-c', 'echo ready; sleep infinity', bed.name] });
      await pod.waitForOutput(/ready/);
      console.log(bed.name);
      setInterval(() => {}, 1000);`;
    const run = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(run.stdout.setEncoding('utf8'), 'data');
    const name = String(line).trim();
    expect(name).toMatch(/^fpb\d+$/);
    const traces = tracesOf(name);
    expect(traces.filter((trace) => trace.startsWith('/run/netns/')).length).toBeGreaterThan(0);
    run.kill('SIGKILL');
    await once(run, 'close');
    await expect.poll(() => leftOf(traces, name).filter((trace) => trace.includes('sleep'))).toEqual([]);
    await (await createBed()).close();
    // Another runner may be at it too.
    await expect.poll(() => leftOf(traces, name)).toEqual([]);
  });
});
