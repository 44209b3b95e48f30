/** Where flux-pod's own things are in the containers of a rendered pod. */
export const paths = {
  /** What the init container installs: the launcher, the program, Node.js. */
  installed: '/mnt/flux-pod',
  /** FLUX_POD_DIR: broker.toml, the private certificate, the broker's socket. */
  run: '/run/flux-pod',
  /** Of these what containers beside Flux see, a volume of its own: the broker's socket is in a directory that the agent makes in it. */
  mountable: '/run/flux-pod/run',
  /** The volume of the statedir. */
  state: '/var/lib/flux-pod',
  curve: '/etc/flux-pod/curve',
  scripts: '/etc/flux-pod/scripts',
  hooks: '/etc/flux-pod/hooks.d',
} as const;

export const socket = `local://${paths.mountable}/flux/local`;

/**
 * FLUX_POD_STATE_DIR: below the root of the volume, which belongs to root, because the broker takes only a statedir of its own user
 * (flux-core src/broker/rundir.c, rundir_checkdir). It makes the directory.
 */
export const statedir = `${paths.state}/statedir`;

/** The home directory of a user without an entry in passwd. */
export const home = '/home/flux-pod';

/** Spack's packages in the Flux view are linked for this place (the view images of converged-computing/flux-views). */
export const viewSoftware = '/opt/software';

/** The volume for it: the Operator's name (controllers/flux/volumes.go). */
export const softwareVolume = 'spack-software';
