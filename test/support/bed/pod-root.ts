/**
 * A pod's root directory. It is put together from nothing, so that it holds of this machine what an image would hold and no more, whatever
 * lies in /etc/flux-pod, /run, /tmp, /home or /opt here.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** A directory of this machine that a pod has, and where. */
export interface Mount {
  readonly from: string;
  readonly to: string;
  readonly mode: 'ro' | 'rw';
}

const directories = ['dev/shm', 'home', 'mnt', 'opt', 'var/lib', 'var/log', 'var/cache', 'old'];
const links = {
  'var/run': '/run',
  'dev/fd': '/proc/self/fd',
  'dev/stdin': '/proc/self/fd/0',
  'dev/stdout': '/proc/self/fd/1',
  'dev/stderr': '/proc/self/fd/2',
  'dev/ptmx': 'pts/ptmx',
};
/** Of /etc: users, and what the dynamic linker, TLS and Debian's alternatives need. */
const etcFiles = ['passwd', 'group', 'services', 'protocols', 'ld.so.cache', 'ld.so.conf'];
const etcDirectories = ['/etc/alternatives', '/etc/ld.so.conf.d', '/etc/ssl/certs'];

/** /usr, and /bin, /sbin, /lib... where these are no links into it. */
const programs = (): string[] => readdirSync('/').filter((name) => /^(usr|s?bin|lib[^/]*)$/.test(name));
const isLink = (name: string): boolean => lstatSync(`/${name}`).isSymbolicLink();

const ofImage = (path: string): Mount => ({ from: path, to: path, mode: 'ro' });

/**
 * Writes into `files` what the root directory has before its mounts, beside the pod's own files, and returns these mounts as the lines
 * of an fstab(5) for a root directory at `root`: mount(8) makes all of them in one process.
 */
export function writeRoot(
  { files, root, terminationLog }: { files: string; root: string; terminationLog: string },
  mounts: readonly Mount[],
): string {
  const image = [
    ...programs().flatMap((name) => (isLink(name) ? [] : [ofImage(`/${name}`)])),
    ...etcDirectories.filter((path) => existsSync(path)).map(ofImage),
    ...mounts,
  ];
  const kernel = ['proc', 'sys', 'dev/pts'];
  for (const path of [...directories, ...kernel, ...image.map(({ to }) => to)])
    mkdirSync(join(files, path), { recursive: true });
  mkdirSync(join(files, 'root'), { mode: 0o700 });
  // The lead broker makes its statedir in it (flux-core src/broker/broker.c).
  mkdirSync(join(files, 'var/tmp'), { recursive: true });
  chmodSync(join(files, 'var/tmp'), 0o1777);
  for (const name of programs().filter(isLink)) symlinkSync(readlinkSync(`/${name}`), join(files, name));
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(files, path));
  for (const name of etcFiles.filter((each) => existsSync(`/etc/${each}`)))
    copyFileSync(`/etc/${name}`, join(files, 'etc', name));
  writeFileSync(join(files, 'dev/termination-log'), '');

  const line = (from: string, to: string, type: string, options: string) =>
    [from, join(root, to), type, options].map(escaped).join(' ');
  return [
    ...image.map(({ from, to, mode }) => line(from, to, 'none', `rbind,${mode}`)),
    line('proc', 'proc', 'proc', 'rw'),
    // It shows the interfaces of the network namespace in which it is mounted.
    line('sysfs', 'sys', 'sysfs', 'ro'),
    line('/sys/fs/cgroup', 'sys/fs/cgroup', 'none', 'rbind'),
    line('devpts', 'dev/pts', 'devpts', 'newinstance,ptmxmode=0666,mode=620'),
    line(terminationLog, 'dev/termination-log', 'none', 'bind'),
    '',
  ].join('\n');
}

/** As fstab(5) wants blanks. */
const escaped = (field: string): string =>
  field.replace(/[\s\\]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
