/** The manual page flux-pod(1), of the rows that `--help` is made of, in the macros of man(7). Data in, data out. */
import { defaultText } from '../../agent/config/reference.ts';
import { environmentName, flagName, settingNames, settings } from '../../agent/config/settings.ts';
import { ExitCode } from '../../agent/errors.ts';
import type { Verb, Verbs } from '../verbs/verb.ts';
import { flagForm } from './help.ts';

const exitCodes: Readonly<Record<keyof typeof ExitCode, string>> = {
  usage: 'a verb, a flag or COMMAND is wrong',
  peersUnavailable: 'the parent, the agent or the API does not answer, or the outcome is not known',
  internal: 'an internal error: please report it',
  brokerFailed: 'the broker could not start: COMMAND has not run',
  noFlux: 'no usable flux, or no Node.js',
  hookFailed: 'a hook failed',
  certificate: 'the CURVE certificate is missing, damaged or unsafe',
  configuration: 'the configuration is wrong',
};

export function manPage(version: string, verbs: Verbs): string {
  const lines = [
    `.TH FLUX\\-POD 1 "" "flux\\-pod ${version}" "User Commands"`,
    '.SH NAME',
    'flux\\-pod \\- turns the pods of an Indexed Job into one Flux instance',
    '.SH SYNOPSIS',
    ...Object.entries(verbs).flatMap(([name, { forms }]) =>
      Object.keys(forms).flatMap((form) => [`.B ${escaped(`flux-pod ${name}`)}`, ...text(form), '.br']),
    ),
    '.SH VERBS',
    ...Object.entries(verbs).flatMap(([name, verb]) => verbLines(name, verb)),
    '.SH SETTINGS',
    ...text(
      'The flags of run, attach, doctor and config. A flag wins over an environment variable, which wins over the TOML file /etc/flux-pod/config.toml (--config, FLUX_POD_CONFIG), which wins over what is detected from the pod.',
    ),
    ...settingNames.flatMap((name) =>
      item(
        `--${flagName(name)}, ${environmentName(name)}`,
        `${settings[name].meaning} (default: ${defaultText(name)})`,
      ),
    ),
    '.SH EXIT STATUS',
    ...text('That of COMMAND, 128+N where signal N ended it. Else:'),
    ...Object.entries(exitCodes).flatMap(([name, meaning]) =>
      item(String(ExitCode[name as keyof typeof ExitCode]), meaning),
    ),
    '.SH SEE ALSO',
    ...text('flux(1), flux-submit(1), flux-jobs(1), flux-broker(1), kubectl(1)'),
  ];
  return `${lines.filter((line) => line !== '').join('\n')}\n`;
}

function verbLines(name: string, { forms, flags, settings: own = {}, examples, more = '' }: Verb): string[] {
  return [
    `.SS ${escaped(name)}`,
    ...Object.entries(forms).flatMap(([form, meaning]) => item(`flux-pod ${name} ${form}`.trim(), meaning)),
    ...(more === '' ? [] : ['.PP', ...text(more)]),
    ...Object.entries(flags).flatMap(([flag, about]) => item(flagForm(flag, about), about.meaning)),
    ...(Object.keys(own).length === 0 ? [] : ['.PP', ...text('The SETTINGS below are flags as well.')]),
    '.PP',
    'Examples:',
    '.RS 4',
    '.nf',
    ...examples.map(escaped),
    '.fi',
    '.RE',
  ];
}

const item = (term: string, meaning: string): string[] => ['.TP', `.B ${escaped(term)}`, ...text(meaning)];

/** A paragraph: white space is the formatter's. Backquotes are Markdown's. */
const text = (words: string): string[] => [escaped(words.replaceAll('`', '').replace(/\s+/g, ' ').trim())];

/** groff_char(7): `-` is a hyphen unless escaped; a line that begins with a dot or a quote would be a request. */
const escaped = (line: string): string =>
  line
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('’', '\\(cq')
    .replace(/^\./, '\\&.');
