/** What flags of `render` and `controller` ask of a rendering. */
import { ExitCode, PodError } from '../../agent/errors.ts';
import { type Extra, extras, type RenderOptions } from '../../controller/render/minicluster/cluster.ts';
import type { Flags } from './arguments.ts';
import { usualExtras } from './render-flags.ts';

const usage = (why: string) =>
  new PodError(ExitCode.usage, `Cannot render: ${why}`, {
    hint: '`flux-pod render --help` explains the flags.',
  });

/** `--user`. Throws a PodError (exit 64). */
export function userOf(value: Flags[string] = '1000:1000'): RenderOptions['user'] {
  if (value === 'image') return 'image';
  const [, uid, gid = uid] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(String(value)) ?? [];
  if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  throw usage(`--user ${String(value)} is neither UID, UID:GID nor image`);
}

/** `--image-installer` or `--image-view`. Throws a PodError (exit 64). */
export function imageOf(flags: Flags, flag: 'image-installer' | 'image-view'): string | undefined {
  if (flags[flag] === undefined) return undefined;
  const image = String(flags[flag]);
  if (image === '' || /\s/.test(image))
    throw usage(`--${flag} ${JSON.stringify(image)} is no name of an image`);
  return image;
}

/** `--with` and `--without`. Throws a PodError (exit 64). */
export function extrasOf(flags: Flags): ReadonlySet<Extra> {
  const chosen = new Set<Extra>(usualExtras);
  const listed = (flag: 'with' | 'without') => {
    const values = flags[flag];
    return (Array.isArray(values) ? values : []).flatMap((value) => String(value).split(','));
  };
  const known = (word: string): Extra => {
    const extra = extras.find((candidate) => candidate === word);
    if (extra === undefined) throw usage(`"${word}" is none of ${extras.join(', ')}`);
    return extra;
  };
  for (const word of listed('with')) chosen.add(known(word));
  for (const word of listed('without')) chosen.delete(known(word));
  return chosen;
}
