import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { realFlux } from './flux-pod.ts';
import { debianImage, type Podman } from './podman.ts';

/** What Flux is linked against and runs, and what the Dockerfile installs: with it there, that takes no time. */
const packages = [
  ...['libzmq5', 'libjansson4', 'libhwloc15', 'libsqlite3-0', 'libarchive13', 'liblz4-1', 'libuuid1'],
  ...['libncursesw6', 'libsystemd0', 'lua5.1', 'liblua5.1-0', 'lua-posix', 'python3', 'libpython3.11'],
  ...['python3-cffi', 'python3-yaml', 'python3-ply', 'binutils', 'patchelf', 'busybox-static'],
];

export interface Images {
  readonly fluxPod: string;
  readonly installer: string;
  /** With flux-pod; in the place of the view nothing but Debian. */
  readonly view: string;
  /** Has Flux, but neither flux-pod nor Node.js. */
  readonly flux: string;
  /** Has a shell and no glibc. */
  readonly withoutGlibc: string;
  /** Whether the Flux in there is real, not the stand-in. */
  readonly real: boolean;
}

/** Builds the Dockerfile's targets on images made here: of Debian, this Node.js, and the Flux that is in /opt/flux. */
export async function buildImages(podman: Podman): Promise<Images> {
  const debian = debianImage(podman, packages);
  const nothing = podman.directory('nothing');
  const node = 'localhost/flux-pod-test/node';
  await podman.build(node, {
    context: nodeAndNpm(podman.directory('node')),
    dockerfile: [
      `FROM ${debian}`,
      'COPY . /usr/local/',
      'RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && touch /usr/local/LICENSE',
    ].join('\n'),
  });

  const real = realFlux()?.path.startsWith('/opt/flux/') === true;
  const flux = `localhost/flux-pod-test/${real ? 'flux' : 'stand-in'}`;
  // With flux-pod comes the Node.js that runs it.
  const standIn = '#!/bin/sh\\nexec $HERE/node /opt/flux/demo.cjs stand-in-flux "$@"\\n';
  const standInContext = podman.directory('stand-in');
  cpSync('dist/demo.cjs', join(standInContext, 'demo.cjs'));
  await podman.build(flux, {
    context: real ? '/opt/flux' : standInContext,
    dockerfile: [
      `FROM ${debian}`,
      real
        ? 'COPY . /opt/flux'
        : `COPY demo.cjs /opt/flux/\nRUN mkdir -p /opt/flux/bin && printf '${standIn}' >/opt/flux/bin/flux && chmod 755 /opt/flux/bin/flux`,
      'ENV PATH=/opt/flux/bin:/usr/bin:/bin HERE=/opt/flux-pod',
    ].join('\n'),
  });

  const withoutGlibc = 'localhost/flux-pod-test/without-glibc';
  await podman.build(withoutGlibc, {
    context: nothing,
    dockerfile: `FROM ${debian} AS debian\nFROM scratch\nCOPY --from=debian /bin/busybox /bin/sh\nENV PATH=/bin\n`,
  });

  const bases = { NODE_IMAGE: node, LIBRARIES_IMAGE: debian, FLUX_IMAGE: flux, VIEW_IMAGE: debian };
  const args = Object.entries(bases).map(([name, image]) => `--build-arg=${name}=${image}`);
  const installer = 'localhost/flux-pod-test/installer';
  await podman.build(installer, { context: '.', args: [...args, '--target=installer'] });
  const view = 'localhost/flux-pod-test/view';
  await podman.build(view, { context: '.', args: [...args, '--target=view'] });
  const fluxPod = 'localhost/flux-pod-test/flux-pod';
  await podman.build(fluxPod, { context: '.', args });
  return { fluxPod, installer, view, flux, withoutGlibc, real };
}

/** Laid out as in an image of Node.js: bin/node and lib/node_modules/npm. */
function nodeAndNpm(directory: string): string {
  const npm = execFileSync('sh', ['-c', 'readlink -f "$(command -v npm)"']).toString().trim();
  mkdirSync(join(directory, 'bin'));
  cpSync(process.execPath, join(directory, 'bin/node'));
  cpSync(dirname(dirname(npm)), join(directory, 'lib/node_modules/npm'), { recursive: true });
  return directory;
}
