/**
 * A Flux view laid out as in the flux-view images (converged-computing/flux-views, ubuntu/Dockerfile): /opt/view leads over /opt/views/view
 * to /opt/views/._view/HASH, whose files are links to the prefixes of the packages, one a package, also one a Python package. Only the prefix
 * of flux-core is where the Flux of this machine was built for; the interpreter is outside of the view, and has no packages of its own.
 */
import { chmodSync, cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Debian's Python packages, which py-runner.py, flux-modprobe and the commands of Flux import. */
export const systemPackages = '/usr/lib/python3/dist-packages';
const pythonPackages = {
  'py-cffi': [/^_cffi_backend/, /^cffi$/, /^pycparser$/],
  'py-pyyaml': [/^_?yaml$/],
  'py-ply': [/^ply$/],
};

/** The files of an image, to be mounted at these paths. */
export interface ViewImage {
  /** /opt/views, with the view; /opt/view is a link into it. */
  readonly views: string;
  /** /opt/software, with the prefixes. */
  readonly software: string;
}

/** Writes the image's files into `directory`, for a Flux that is installed in `prefix`. */
export function writeViewImage(directory: string, prefix: string): ViewImage {
  const image = { views: join(directory, 'views'), software: join(directory, 'software') };
  const view = join(image.views, '._view/hgf4jqn');
  mkdirSync(image.views, { recursive: true });
  symlinkSync('._view/hgf4jqn', join(image.views, 'view'));
  const site = join('lib', pythonOf(prefix), 'site-packages');
  for (const [name, patterns] of Object.entries(pythonPackages)) {
    for (const found of readdirSync(systemPackages).filter((each) => patterns.some((one) => one.test(each))))
      cpSync(join(systemPackages, found), join(image.software, `${name}-1/${site}`, found), {
        recursive: true,
        dereference: true,
      });
  }
  writeScheduler(join(image.software, 'flux-sched-1'), prefix);
  for (const name of readdirSync(image.software))
    linkInto(view, join(image.software, name), join('/opt/software', name));
  linkInto(view, prefix, prefix);
  return image;
}

/** python3.11, as the prefix names it. */
const pythonOf = (prefix: string): string =>
  readdirSync(join(prefix, 'lib')).find((name) => /^python3\.\d+$/.test(name)) ?? 'python3';

/**
 * In the place of flux-sched (flux-sched etc/modprobe/modprobe.d/fluxion.toml and etc/rc1.d/01-sched-fluxion): a scheduler that is one of
 * Flux's own under another name, and an rc script that says that it ran.
 */
function writeScheduler(at: string, prefix: string): void {
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(at, path)), { recursive: true });
    writeFileSync(join(at, path), text);
    chmodSync(join(at, path), 0o755);
  };
  mkdirSync(join(at, 'lib/flux/modules'), { recursive: true });
  cpSync(join(prefix, 'lib/flux/modules/sched-fifo.py'), join(at, 'lib/flux/modules/sched-fluxion.py'));
  put(
    'share/flux/modprobe/modprobe.d/fluxion.toml',
    [
      '[[modules]]',
      'name = "sched-fluxion"',
      'provides = ["sched", "feasibility"]',
      'after = ["job-manager", "resource"]',
      'requires = ["job-manager", "resource"]',
      'ranks = "0"',
      'priority = 500',
      '',
    ].join('\n'),
  );
  put(
    'etc/flux/rc1.d/01-sched-fluxion',
    '#!/bin/sh\necho "the rc script of the view ran on $(flux getattr rank)"\n',
  );
}

/** Makes in `view` a link for each file below `from`, which the pod has at `target`. */
function linkInto(view: string, from: string, target: string): void {
  mkdirSync(view, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const { name } = entry;
    if (name === '__pycache__') continue;
    if (entry.isDirectory()) linkInto(join(view, name), join(from, name), join(target, name));
    else symlinkSync(join(target, name), join(view, name));
  }
}
