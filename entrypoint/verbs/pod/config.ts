import { brokerConfig } from '../../../agent/broker/broker-config.ts';
import { membershipOf } from '../../../agent/broker/membership.ts';
import { runDirectoryAt } from '../../../agent/broker/run-directory.ts';
import { defaultText } from '../../../agent/config/reference.ts';
import { environmentName, type SettingName, settingNames } from '../../../agent/config/settings.ts';
import { type ParsedArguments, settingFlags } from '../../command-line/arguments.ts';
import { configure } from '../../command-line/configure.ts';
import { table } from '../../command-line/table.ts';
import { findRunDirectory } from '../../running-pod/ask-agent.ts';
import type { Verb } from '../verb.ts';

/**
 * `flux-pod config [--check] [FLAGS]`: every setting with its value and source, then the broker.toml that follows from
 * them, with the paths of the running agent, or those that it would take. Starts nothing, writes nothing, asks no name server.
 */
export const config: Verb = {
  forms: { '[--check] [FLAGS]': 'every setting with its source, and the broker.toml' },
  flags: {
    check: { type: 'boolean', meaning: 'prints nothing but what is wrong' },
  },
  settings: settingFlags,
  examples: ['flux-pod config', 'flux-pod config --check'],
  run: showConfig,
};

async function showConfig({ flags }: ParsedArguments): Promise<number> {
  const { configuration, sources } = await configure(flags, process.env);
  const membership = membershipOf(configuration);
  const directory = runDirectoryAt(configuration.dir ?? (await findRunDirectory(flags, process.env)).path);
  const brokerToml = brokerConfig(configuration, membership, directory.curveCert);
  if (flags.check) return 0;
  const rows = settingNames.map((name) => {
    const raw = sources[name];
    return [
      environmentName(name),
      show(raw ? raw.value : configuration[name], name),
      raw?.source ?? 'default',
    ];
  });
  const parent = membership.parent
    ? `rank ${membership.parent.rank} at ${membership.parent.target.host}`
    : 'none';
  process.stdout.write(
    [
      table(rows),
      `# rank ${membership.rank} of ${membership.size}, parent: ${parent}`,
      `# ${directory.brokerToml}`,
      brokerToml,
    ].join('\n'),
  );
  return 0;
}

/** A value as its user would write it; a default that is a table is shown as the reference shows it. */
function show(value: unknown, name: SettingName): string {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return '-';
  if (Array.isArray(value)) return value.join(' ');
  return typeof value === 'object' ? defaultText(name).replaceAll('`', '') : String(value);
}
