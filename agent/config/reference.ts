import { environmentName, settingNames, settings } from './settings.ts';

/** The settings as a Markdown table for the README; `npm run docs` writes it there, and a test tells when it is stale. */
export function settingsTable(): string {
  const rows = settingNames.map((name) => {
    const { default: fallback, meaning } = settings[name];
    return `| \`${environmentName(name)}\` | ${fallback} | ${meaning} |`;
  });
  return ['| setting | default | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

const begin = '<!-- settings: written by `npm run docs` -->';
const end = '<!-- end of settings -->';

/** `readme` with the table between its two marks brought up to date. Throws an Error where a mark is missing. */
export function withSettingsTable(readme: string): string {
  const from = readme.indexOf(begin);
  const to = readme.indexOf(end);
  if (from < 0 || to < from) throw new Error(`The README lacks its marks ${begin} and ${end}`);
  return `${readme.slice(0, from + begin.length)}\n${settingsTable()}\n${readme.slice(to)}`;
}
