/** `npm run docs`: brings the table of settings up to date. */
import { readFileSync, writeFileSync } from 'node:fs';
import { withSettingsTable } from '../../../agent/config/reference.ts';

writeFileSync('docs/settings.md', withSettingsTable(readFileSync('docs/settings.md', 'utf8')));
