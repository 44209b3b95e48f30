import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../../package.json' with { type: 'json' };
import { miniCluster } from '../../support/manifests/miniclusters.ts';
import { buildImages, type Images } from '../../support/project/images.ts';
import { createPodman, type Podman, podmanUnavailable } from '../../support/project/podman.ts';

const unavailable = podmanUnavailable();
if (unavailable) console.warn(`SKIPPED: the images are neither built nor run: ${unavailable}`);

/** As restricted Pod Security has it, and a root file system that is read-only. */
const restricted = ['--read-only', '--cap-drop=all', '--security-opt=no-new-privileges', '--tmpfs=/tmp'];
/** A pod of one, outside Kubernetes. */
const alone = ['--hostname=mc-0', '--env=FLUX_POD_SIZE=1', '--env=FLUX_POD_ADDRESS=127.0.0.1'];
/** Nothing is loaded for jobs. */
const withoutJobs = '--env=FLUX_POD_BROKER_OPTIONS=-Sbroker.rc1_path= -Sbroker.rc3_path=';

describe.skipIf(unavailable)('the images', { concurrent: true }, () => {
  let podman: Podman;
  let images: Images;
  beforeAll(async () => {
    podman = createPodman();
    images = await buildImages(podman);
  });
  afterAll(() => podman?.close());

  const inspect = async (image: string) => JSON.parse((await podman.podman('inspect', image)).stdout)[0];
  const filesOf = async (image: string, directory: string) =>
    (await podman.run(image, ['--entrypoint=find'], [directory, '-type', 'f', '-printf', '%P\n'])).stdout
      .split('\n')
      .sort();

  describe('flux-pod', () => {
    it('adds one layer to the image of Flux, with nothing but flux-pod, Node.js and licences', async () => {
      const [base, built] = [await inspect(images.flux), await inspect(images.fluxPod)];
      const layers = built.RootFS.Layers.filter((layer: string) => !base.RootFS.Layers.includes(layer));
      expect(layers).toHaveLength(1);
      const files = await filesOf(images.fluxPod, '/opt/flux-pod');
      const chunk = (file: string) => /^chunks\/[\w-]+\.cjs$/.test(file);
      expect(files.filter(chunk).length).toBeGreaterThan(10);
      expect(files.filter((file) => !chunk(file))).toEqual([
        'cached.cjs',
        'flux-pod',
        'flux-pod.cache',
        'flux-pod.cjs',
        'lib/libgcc_s.so.1',
        'lib/libstdc++.so.6',
        'licenses/LICENSE',
        'licenses/THIRD-PARTY-NOTICES',
        'licenses/libstdc++',
        'licenses/node',
        'man/man1/flux-pod.1',
        'node',
      ]);
      expect(built.Size - base.Size).toBeLessThan(120e6);
    });

    it('says who it is, runs as a user, and knows how its health is asked for', async () => {
      const { Config, Healthcheck } = await inspect(images.fluxPod);
      expect(Config).toMatchObject({
        User: '1000:1000',
        Entrypoint: ['/opt/flux-pod/flux-pod'],
        Cmd: ['run'],
        Labels: {
          'org.opencontainers.image.title': 'flux-pod',
          'org.opencontainers.image.version': packageJson.version,
          'org.opencontainers.image.licenses': 'Apache-2.0',
        },
      });
      expect(Healthcheck.Test).toEqual(['CMD', '/opt/flux-pod/flux-pod', 'probe', 'live']);
    });

    it('boots an instance without root, capabilities or a root file system that can be written', async () => {
      const script = [
        'id -u; grep -E "CapEff|NoNewPrivs" /proc/self/status; touch /file 2>&1',
        'echo "LD_LIBRARY_PATH=$LD_LIBRARY_PATH"; flux run hostname',
        'until flux-pod probe ready >/dev/null; do sleep 0.1; done',
        'until flux-pod probe live | grep -x "the broker answers: run"; do sleep 0.1; done; exit 7',
      ].join('; ');
      const { stdout, stderr, exitCode } = await podman.run(
        images.fluxPod,
        [...restricted, ...alone],
        ['run', '--', 'sh', '-c', script],
      );
      expect(stdout.split('\n'), stderr).toEqual([
        '1000',
        'CapEff:\t0000000000000000',
        'NoNewPrivs:\t1',
        expect.stringMatching(/Read-only file system/),
        'LD_LIBRARY_PATH=',
        'mc-0',
        'the broker answers: run',
      ]);
      expect(exitCode, stderr).toBe(7);
    });

    it('starts in volumes that are root’s, as emptyDirs are, its own and the one that containers beside it mount', async () => {
      const volumes = ['/run/flux-pod', '/run/flux-pod/run'].map((path) => `--tmpfs=${path}:mode=2777`);
      const { stdout, stderr, exitCode } = await podman.run(
        images.fluxPod,
        [...restricted, ...alone, ...volumes, '--env=FLUX_POD_DIR=/run/flux-pod'],
        ['run', '--', 'sh', '-c', 'stat -c "%u %a" /run/flux-pod/run; echo $FLUX_URI; flux run hostname'],
      );
      expect(stdout, stderr).toBe('0 2777\nlocal:///run/flux-pod/run/flux/local\nmc-0');
      expect(exitCode, stderr).toBe(0);
    });

    it('reaps the orphans of the program', async () => {
      // A zombie is in /proc until it is reaped.
      const script = `(setsid sh -c 'echo $$ >/tmp/orphan; sleep 0.2' &)
        until [ -s /tmp/orphan ]; do sleep 0.05; done
        while [ -e /proc/$(cat /tmp/orphan) ]; do sleep 0.05; done; echo reaped`;
      const { stdout, stderr } = await podman.run(
        images.fluxPod,
        [...restricted, ...alone, withoutJobs],
        ['run', '--', 'sh', '-c', script],
      );
      expect(stdout, stderr).toBe('reaped');
    });

    it('ends in order when it is stopped', async () => {
      const name = `flux-pod-test-${process.pid}`;
      const run = podman.run(
        images.fluxPod,
        [...restricted, ...alone, withoutJobs, `--name=${name}`],
        ['run', '--', 'sh', '-c', 'echo up; exec sleep 1000'],
      );
      try {
        const logs = async () => (await podman.podman('logs', name)).stdout;
        while (!(await logs()).includes('up')) await new Promise((resolve) => setTimeout(resolve, 100));
        await podman.podman('stop', '--time=30', name);
        expect(await run).toMatchObject({ exitCode: 143 });
      } finally {
        await podman.podman('rm', '--force', '--ignore', name);
      }
    });

    it('lists what is wrong with its configuration', async () => {
      const { stderr, exitCode } = await podman.run(images.fluxPod, restricted, []);
      expect(stderr).toContain('FLUX_POD_SIZE: expected the number of pods');
      expect(exitCode).toBe(78);
    });
  });

  describe('the installer', () => {
    const install = (volume: string) =>
      podman.run(
        images.installer,
        [...restricted, `--volume=${volume}:/mnt/flux-pod`, '--user=1234:1234'],
        ['install', '/mnt/flux-pod'],
      );

    it('gives an image without Node.js one that works, whatever its C++ library is like', async () => {
      const volume = podman.directory('volume');
      expect(await install(volume)).toMatchObject({
        stdout: `flux-pod ${packageJson.version} is in /mnt/flux-pod`,
        stderr: '',
        exitCode: 0,
      });
      const broken = ['libstdc++.so.6', 'libgcc_s.so.1'].map(
        (name) => `--volume=/dev/null:/lib/x86_64-linux-gnu/${name}:ro`,
      );
      const { stdout, stderr, exitCode } = await podman.run(
        images.flux,
        [
          ...[...restricted, ...alone, '--user=1000:1000', `--volume=${volume}:/mnt/flux-pod:ro`],
          ...['--env=HERE=/mnt/flux-pod', ...(images.real ? [] : broken)],
        ],
        ['/mnt/flux-pod/flux-pod', 'run', '--', 'sh', '-c', 'flux run hostname; exit 7'],
      );
      expect(stdout, stderr).toBe('mc-0');
      expect(exitCode).toBe(7);
      const version = await podman.run(
        images.flux,
        [...broken, `--volume=${volume}:/mnt/flux-pod:ro`],
        ['/mnt/flux-pod/flux-pod', 'version'],
      );
      expect(version.stdout, version.stderr).toBe(packageJson.version);
      expect(readdirSync(volume).sort()).toEqual([
        ...['cached.cjs', 'chunks', 'flux-pod', 'flux-pod.cache', 'flux-pod.cjs', 'lib', 'licenses', 'node'],
      ]);
    });

    it('is in the image of a view as well, and gives the same', async () => {
      const [volume, other] = [podman.directory('volume-of-view'), podman.directory('volume-of-installer')];
      await install(other);
      const { stdout, exitCode } = await podman.run(
        images.view,
        [...restricted, `--volume=${volume}:/mnt/flux-pod`, '--user=1234:1234'],
        ['/opt/flux-pod/flux-pod', 'install', '/mnt/flux-pod'],
      );
      expect({ stdout, exitCode }).toEqual({
        stdout: `flux-pod ${packageJson.version} is in /mnt/flux-pod`,
        exitCode: 0,
      });
      expect(readdirSync(volume, { recursive: true }).sort()).toEqual(
        readdirSync(other, { recursive: true })
          .filter((name) => name !== 'licenses/glibc')
          .sort(),
      );
    });

    it('renders MiniClusters, which images of pods leave out', async () => {
      const given = podman.directory('given');
      writeFileSync(join(given, 'minicluster.yaml'), JSON.stringify(miniCluster()));
      const render = (image: string, program: readonly string[]) =>
        podman.run(
          image,
          [...restricted, `--volume=${given}:/given:ro`],
          [...program, 'render', '/given/minicluster.yaml'],
        );
      const { stdout, stderr, exitCode } = await render(images.installer, []);
      expect(exitCode, stderr).toBe(0);
      expect(stdout).toMatch(/^kind: Job$/m);
      const refused = await render(images.view, ['/opt/flux-pod/flux-pod']);
      expect(refused.stderr).toContain('The installer image has it');
      expect(refused.exitCode).toBe(78);
    });

    it('is a user without a shell, and small', async () => {
      const { Config, Size, RootFS } = await inspect(images.installer);
      expect(Config).toMatchObject({ User: '1000:1000', Cmd: ['install', '/mnt/flux-pod'] });
      expect(Config.Labels).toMatchObject({ 'org.opencontainers.image.version': packageJson.version });
      expect(RootFS.Layers).toHaveLength(1);
      expect(Size).toBeLessThan(125e6);
      expect((await podman.run(images.installer, ['--entrypoint=sh'], [])).exitCode).toBe(127);
    });

    it('says in a sentence that it was given no volume', async () => {
      const { stderr, exitCode } = await podman.run(images.installer, ['--read-only'], []);
      expect(stderr).toContain('Cannot install flux-pod into /mnt/flux-pod: it is read-only');
      expect(exitCode).toBe(78);
    });

    it('cannot help an image without glibc, which says so', async () => {
      const volume = podman.directory('volume-without-glibc');
      await install(volume);
      const { stderr, exitCode } = await podman.run(
        images.withoutGlibc,
        [`--volume=${volume}:/mnt/flux-pod:ro`],
        ['/mnt/flux-pod/flux-pod', 'version'],
      );
      expect(stderr).toBe(
        'flux-pod: cannot find Node.js: /mnt/flux-pod/node needs glibc, which this image has not: install a Node.js 24 of its own',
      );
      expect(exitCode).toBe(72);
    });
  });
});
