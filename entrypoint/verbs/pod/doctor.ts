import { resolve } from 'node:path';
import { membershipOf } from '../../../agent/broker/membership.ts';
import { type SettingName, settings } from '../../../agent/config/settings.ts';
import { ExitCode, PodError } from '../../../agent/errors.ts';
import { printable, printableLines } from '../../../agent/printable.ts';
import { type ParsedArguments, settingFlags } from '../../command-line/arguments.ts';
import { configure } from '../../command-line/configure.ts';
import { makeBundle } from '../../doctor/bundle.ts';
import { examine, type Finding } from '../../doctor/checks.ts';
import { usualBundles, writeBundle } from '../../doctor/write-bundle.ts';
import { findRunDirectory } from '../../running-pod/ask-agent.ts';
import type { Verb } from '../verb.ts';

const marks = { ok: 'ok  ', warn: 'warn', bad: 'BAD ' } as const;

/**
 * `flux-pod doctor [--bundle [FILE]]`: checks what bootstrap needs, each with what was found and the remedy; with --bundle also
 * writes a file of all that a maintainer would ask for, without secrets: to FILE, to stdout alone where that is `-`, else to where this
 * user can write. Resolves to 0, or to 1 where something must be mended.
 */
export const doctor: Verb = {
  forms: { '[--bundle [FILE]]': 'checks what bootstrap needs, and names the remedy' },
  flags: {
    bundle: {
      type: 'boolean',
      valueIsWord: true,
      meaning: 'also writes FILE for a maintainer, without secrets; - is stdout',
    },
  },
  settings: settingFlags,
  takes: 1,
  examples: ['flux-pod doctor', 'flux-pod doctor --bundle /tmp/bundle.txt'],
  run: diagnosePod,
};

async function diagnosePod({ flags, positionals }: ParsedArguments): Promise<number> {
  const [file] = positionals;
  if (file !== undefined && !flags.bundle)
    throw new PodError(ExitCode.usage, `Cannot understand "flux-pod doctor ${file}"`, {
      hint: 'A FILE goes with --bundle.',
    });
  const directory = await findRunDirectory(flags, process.env);
  const { findings, configuration } = await diagnose();
  const text = findings.map(findingText).join('');
  if (!flags.bundle) process.stdout.write(printableLines(text));
  else {
    const bundle = await makeBundle({ directory, environment: process.env, findings: text, configuration });
    if (file === '-') process.stdout.write(printableLines(bundle));
    else {
      process.stdout.write(printableLines(text));
      const path = writeBundle(bundle, file === undefined ? usualBundles() : [resolve(file)]);
      process.stdout.write(
        `\n${printable(path)} holds what a maintainer would ask for. Look through it before you send it.\n`,
      );
    }
  }
  return findings.some(({ level }) => level === 'bad') ? 1 : 0;

  /** Without a configuration there is nothing to check but that. */
  async function diagnose(): Promise<{
    findings: readonly (Finding & { name: string })[];
    configuration: string;
  }> {
    try {
      const { configuration } = await configure(flags, process.env);
      const membership = membershipOf(configuration);
      const rank = `rank ${membership.rank} of ${membership.size}`;
      const found = `${configuration.cluster}-${configuration.index}, ${rank}: \`flux-pod config\` shows all of it`;
      const rest = await examine({ configuration, membership, directory, environment: process.env });
      return {
        findings: [{ name: 'configuration', level: 'ok', found }, ...rest],
        configuration: JSON.stringify(configuration, withoutSecrets, 2),
      };
    } catch (error) {
      if (!(error instanceof PodError)) throw error;
      const { message, hint } = error;
      return {
        findings: [{ name: 'configuration', level: 'bad', found: message, remedy: hint }],
        configuration: message,
      };
    }
  }
}

/** What names a secret may by mistake be the secret. */
const withoutSecrets = (key: string, value: unknown): unknown =>
  isSetting(key) && settings[key].secret && value !== undefined ? '(set)' : value;

const isSetting = (key: string): key is SettingName => Object.hasOwn(settings, key);

const findingText = ({ level, name, found, remedy }: Finding & { name: string }): string =>
  `${marks[level]}  ${name.padEnd(18)}  ${found}\n${remedy && level !== 'ok' ? `${' '.repeat(26)}${remedy}\n` : ''}`;
