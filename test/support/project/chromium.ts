import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The Chromium or Chrome on PATH, if there is one: Debian's package `chromium`. */
export const chromiumPath = (): string | undefined =>
  (process.env.PATH ?? '')
    .split(':')
    .flatMap((directory) =>
      ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(directory, name)),
    )
    .find((path) => existsSync(path));
