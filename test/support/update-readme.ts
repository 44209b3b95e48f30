/** `npm run docs`: brings the README's settings table up to date. */
import { readFileSync, writeFileSync } from 'node:fs';
import { withSettingsTable } from '../../agent/config/reference.ts';

writeFileSync('README.md', withSettingsTable(readFileSync('README.md', 'utf8')));
