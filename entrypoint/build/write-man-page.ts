/** Writes the manual page: `node write-man-page.ts FILE`. */
import { writeFileSync } from 'node:fs';
import packageJson from '../../package.json' with { type: 'json' };
import { manPage } from '../command-line/man-page.ts';
import { loadVerbs } from '../verbs.ts';

const [file = ''] = process.argv.slice(2);
writeFileSync(file, manPage(packageJson.version, await loadVerbs()));
