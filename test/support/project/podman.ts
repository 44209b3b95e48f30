import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa, type Result } from 'execa';

/** Why images cannot be built and run here, if so. */
export function podmanUnavailable(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'they need root on Linux';
  const missing = ['podman', 'runc', 'debootstrap'].filter(
    (tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0,
  );
  return missing.length > 0 ? `install ${missing.join(', ')} (Debian packages of these names)` : undefined;
}

type Output = Result<{ reject: false }> & { readonly exitCode: number };

export interface Podman {
  /** Runs `podman ARGS...`; an exit code is no error. */
  readonly podman: (...args: string[]) => Promise<Output>;
  /** `podman run` of a container that is gone afterwards. */
  readonly run: (image: string, options: readonly string[], command: readonly string[]) => Promise<Output>;
  /** `podman build` of a Dockerfile's text, or of a directory that holds one. */
  readonly build: (tag: string, source: BuildSource) => Promise<void>;
  readonly exists: (image: string) => boolean;
  /** A new directory that is gone after close(). */
  readonly directory: (name: string) => string;
  readonly close: () => void;
}

export interface BuildSource {
  readonly context: string;
  readonly dockerfile?: string;
  readonly args?: readonly string[];
}

/** podman with a configuration that needs no systemd and raises no limit above this process's own. */
export function createPodman(): Podman {
  const place = mkdtempSync(join(tmpdir(), 'flux-pod-podman-'));
  const file = (name: string, text: string) => {
    writeFileSync(join(place, name), text);
    return join(place, name);
  };
  const env = { CONTAINERS_CONF: file('containers.conf', configuration()) };
  const podman = async (...args: string[]): Promise<Output> =>
    (await execa('podman', args, { env, reject: false, timeout: 600_000, stdin: 'ignore' })) as Output;
  return {
    podman,
    run: (image, options, command) =>
      podman('run', '--rm', '--network=none', '--no-healthcheck', ...options, image, ...command),
    build: async (tag, { context, dockerfile, args = [] }) => {
      const from = dockerfile === undefined ? [] : ['--file', file('Dockerfile', dockerfile)];
      const built = await podman(
        ...['build', '--format=docker', '--pull=never', '--network=host', '--tag', tag],
        ...registryAccess(file),
        ...from,
        ...args,
        context,
      );
      if (built.exitCode !== 0) throw new Error(`${tag} was not built:\n${built.stdout}\n${built.stderr}`);
    },
    exists: (image) => spawnSync('podman', ['image', 'exists', image], { env }).status === 0,
    directory: (name) => {
      const path = join(place, name);
      mkdirSync(path);
      chmodSync(path, 0o777);
      return path;
    },
    close: () => rmSync(place, { recursive: true, force: true }),
  };
}

/** Limits that no sandbox refuses: podman's own are higher than what a process in a container may have. */
const configuration = (): string =>
  [
    '[containers]',
    'default_ulimits = ["nofile=16384:16384", "nproc=4096:4096"]',
    '[engine]',
    'runtime = "runc"',
    'cgroup_manager = "cgroupfs"',
    'events_logger = "file"',
    '',
  ].join('\n');

/** In a build npm reaches its registry as it does here: by the same authority's certificate, and with what is cached already. */
function registryAccess(file: (name: string, text: string) => string): string[] {
  const authority = process.env.NODE_EXTRA_CA_CERTS;
  const cache = join(homedir(), '.npm');
  const settings = `prefer-offline=true\n${authority ? 'cafile=/tmp/authority.pem\n' : ''}`;
  return [
    `--volume=${file('npmrc', settings)}:/root/.npmrc:ro`,
    ...(authority ? [`--volume=${authority}:/tmp/authority.pem:ro`] : []),
    ...(existsSync(cache) ? [`--volume=${cache}:/root/.npm`] : []),
  ];
}

/** Debian as an image, from its packages; made once, and kept in podman's store. Returns the image's name. */
export function debianImage({ exists }: Podman, packages: readonly string[]): string {
  const codename = /VERSION_CODENAME=(\w+)/.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'bookworm';
  const image = `localhost/flux-pod-test/debian:${codename}`;
  if (exists(image)) return image;
  const root = mkdtempSync(join(tmpdir(), 'flux-pod-debian-'));
  try {
    const components = ['--variant=minbase', `--include=${packages.join(',')}`, codename, root];
    execFileSync('debootstrap', components, { stdio: ['ignore', 'ignore', 'inherit'] });
    const script = 'rm -f "$0"/var/cache/apt/archives/*.deb; tar -C "$0" -c . | podman import -q - "$1"';
    execFileSync('sh', ['-c', script, root, image], { stdio: ['ignore', 'ignore', 'inherit'] });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return image;
}
