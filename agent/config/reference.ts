import { environmentName, type SettingName, settingNames, settings } from './settings.ts';

/** The default of a setting as Markdown: `required`, `detected from the pod, else ...`, a value in backquotes, or `none`. */
export function defaultText(name: SettingName): string {
  const { default: fallback, detected, required, shown } = settings[name];
  if (shown !== undefined) return shown;
  if (required) return detected ? 'detected from the pod' : 'required';
  const constant = fallback === undefined ? undefined : `\`${fallback}\``;
  if (detected)
    return constant === undefined ? 'detected from the pod' : `detected from the pod, else ${constant}`;
  return constant ?? 'none';
}

/** The settings as a Markdown table for docs/settings.md; `npm run docs` writes it there, and a test fails when it is stale. */
export function settingsTable(): string {
  const rows = settingNames.map(
    (name) => `| \`${environmentName(name)}\` | ${defaultText(name)} | ${settings[name].meaning} |`,
  );
  return ['| setting | default | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

const begin = '<!-- settings: written by `npm run docs` -->';
const end = '<!-- end of settings -->';

/** `page` with the table between its two marks brought up to date. Throws an Error where a mark is missing. */
export function withSettingsTable(page: string): string {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/settings.md lacks its marks ${begin} and ${end}`);
  return `${page.slice(0, from + begin.length)}\n${settingsTable()}\n${page.slice(to)}`;
}
