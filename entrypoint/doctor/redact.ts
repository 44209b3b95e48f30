/** Removes secrets from the text for a maintainer. Only variables that are known to be harmless are shown with their values. */
import { configVariable, stageVariable } from '../../agent/config/layers.ts';
import { environmentName, settingNames, settings } from '../../agent/config/settings.ts';

/** Names of secrets. The lengths are bounded, because the text may be a megabyte without a blank. */
const secretWord =
  '(?:TOKEN|SECRET|PASSW|PASSPHRASE|PASSCODE|[_-]PASS|[_-]PWD|SSHPASS|CREDENTIAL|PRIVATE|[_-]?KEY|COOKIE|AUTH|DSN|WEBHOOK|CONNECTION_?STRING|[_-]PAT\\b)';
const secretName = new RegExp(secretWord, 'i');
const named = `[\\w.-]{0,64}?${secretWord}[\\w.-]{0,64}`;
const word = `(?:"[^"\\n]{0,4096}"|'[^'\\n]{0,4096}'|[^\\s"',;]{1,4096})`;

const removed = '(removed)';
const rules: readonly (readonly [RegExp, string])[] = [
  [
    /-----BEGIN [^-]{0,64}PRIVATE KEY-----[\s\S]*?(?:-----END [^-]{0,64}PRIVATE KEY-----|$)/g,
    '(private key removed)',
  ],
  // user:password@ and key@, also with a slash in it.
  [/(\b[a-z][a-z0-9+.-]{0,20}:\/\/)[^\s"'<>]{1,1000}@/gi, `$1${removed}@`],
  [/(\bhooks\.slack\.com\/)[^\s"'<>]{1,1000}/gi, `$1${removed}`],
  [/(\bauthorization["']?\s{0,9}[:=])[^\n]{0,4096}/gi, `$1 ${removed}`],
  [/\b(bearer|basic|negotiate)\s{1,9}[\w.~+/-]{8,4096}=*/gi, `$1 ${removed}`],
  // NAME=VALUE, "name": "value", name = 'value', and flags of command lines: --name VALUE.
  [new RegExp(`(\\b${named}["']?\\s{0,9}[=:]\\s{0,9})${word}`, 'gi'), `$1"${removed}"`],
  [new RegExp(`((?:^|\\s)--?${named}\\s{1,9})${word}`, 'gim'), `$1${removed}`],
  [/((?:^|\s)(?:-u|--user)[ =]{0,9})[^\s:]{1,256}:\S{1,1000}/gm, `$1${removed}`],
  // Tokens with a known beginning: JWT, AWS, GitHub, GitLab, Slack, Hugging Face, Google, OpenAI and their like.
  [/\beyJ[\w-]{1,4096}\.[\w-]{1,4096}\.[\w-]{1,4096}/g, '(token removed)'],
  [
    /\b(?:(?:AKIA|ASIA)[0-9A-Z]{12,64}|gh[a-z]_\w{16,255}|github_pat_\w{16,255}|glpat-[\w-]{16,255}|xox[a-z]-[\w-]{10,255}|hf_\w{16,255}|AIza[\w-]{20,255}|sk-[\w-]{16,255})/g,
    '(token removed)',
  ],
];

/** Removes from any text what looks like a secret. */
export const redact = (text: string): string =>
  rules.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text);

const harmless: readonly string[] = [
  ...[
    'PATH',
    'HOME',
    'HOSTNAME',
    'PWD',
    'SHELL',
    'SHLVL',
    'TERM',
    'USER',
    'LOGNAME',
    'LANG',
    'LANGUAGE',
    'TZ',
  ],
  ...['TMPDIR', 'LD_LIBRARY_PATH', 'PYTHONPATH', 'OMP_NUM_THREADS', 'CUDA_VISIBLE_DEVICES'],
  ...['JOB_COMPLETION_INDEX', configVariable, stageVariable],
  ...settingNames.filter((name) => !settings[name].secret).map(environmentName),
];
const harmlessFamily = /^(?:LC_[A-Z]+|KUBERNETES_(?:SERVICE|PORT)_?\w*|FLUX_(?!POD_)\w+)$/;

const isHarmless = (name: string): boolean =>
  harmless.includes(name) || (harmlessFamily.test(name) && !secretName.test(name));

/** One line a variable: its value where the name is known to be harmless, else the name alone. */
export const environmentText = (environment: NodeJS.ProcessEnv): string =>
  Object.entries(environment)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, value]) => `${name}${isHarmless(name) ? `=${value}` : ' (value not shown)'}\n`)
    .join('');
