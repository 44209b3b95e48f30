import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { HostPort } from '../../agent/address.ts';
import { type Configuration, withDefaults } from '../../agent/config/configuration.ts';
import { readEnvironment, readFlags } from '../../agent/config/layers.ts';
import { defaultText, settingsTable } from '../../agent/config/reference.ts';
import { resolveAttachment, resolveConfiguration } from '../../agent/config/resolve.ts';
import { environmentName, flagName, settingNames, settings } from '../../agent/config/settings.ts';
import { attachFlags, settingFlags } from '../../entrypoint/command-line/arguments.ts';
import { manPage } from '../../entrypoint/command-line/man-page.ts';
import { loadVerbs } from '../../entrypoint/verbs.ts';
import { configurationOf } from '../support/agent/configuration.ts';
import { podFacts, untold } from '../support/bed/pod-facts.ts';
import { copyProgram } from '../support/bed/program-copy.ts';

const manual = manPage('1.2.3', await loadVerbs())
  .replaceAll('\\-', '-')
  .replaceAll('\\(aq', "'")
  .replaceAll('\\(cq', '’');
const unmarked = (text: string) => text.replaceAll('`', '');

describe('a setting', () => {
  it.each(settingNames)('%s is in all that follows from its row', (name) => {
    const { meaning, readBy = ['run'] } = settings[name];
    expect(configurationOf()).toHaveProperty(name);
    expect(settingsTable().split('\n')).toContain(
      `| \`${environmentName(name)}\` | ${defaultText(name)} | ${meaning} |`,
    );
    expect(manual).toContain(
      `\n.B --${flagName(name)}, ${environmentName(name)}\n${unmarked(`${meaning} (default: ${defaultText(name)})`)}\n`,
    );
    expect(readFlags({ [flagName(name)]: 'x' }).layer[name]?.source).toBe(`--${flagName(name)}`);
    expect(readEnvironment({ [environmentName(name)]: 'x' }).layer[name]?.source).toBe(environmentName(name));
    expect(Object.hasOwn(settingFlags, flagName(name))).toBe(readBy.includes('run'));
    expect(Object.hasOwn(attachFlags, flagName(name))).toBe(readBy.includes('attach'));
  });

  it('has the type of its kind, and is undefined only where it has no default', () => {
    expectTypeOf<Configuration['port']>().toEqualTypeOf<number>();
    expectTypeOf<Configuration['minSize']>().toEqualTypeOf<number>();
    expectTypeOf<Configuration['stateDir']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<Configuration['http']>().toEqualTypeOf<HostPort | 'off'>();
    expectTypeOf<Configuration['mode']>().toEqualTypeOf<'start' | 'submit' | 'batch' | 'interactive'>();
    const unset = settingNames.filter(
      (name) => settings[name].default === undefined && !settings[name].detected,
    );
    for (const name of unset) expect(configurationOf()[name]).toBeUndefined();
  });

  it('is the only key of Configuration, beside the hostname', () => {
    expect(Object.keys(configurationOf())).toEqual([...settingNames, 'hostname']);
  });

  const constants = settingNames
    .map((name) => [name, /^`([^`]+)`$/.exec(defaultText(name))?.[1]] as const)
    .filter(([name, shown]) => shown !== undefined && settings[name].default !== undefined);
  it.each(constants)('%s has the default %s, as its own kind reads it', (name, shown) => {
    expect(settings[name].read(shown)).toEqual(settings[name].default);
    expect(withDefaults({}, { hostname: 'mc-0', terminal: false })[name]).toEqual(settings[name].default);
  });

  it('has a default that is no constant only where functions, the pod or Flux make it', () => {
    const others = settingNames.filter((name) => !constants.some(([constant]) => constant === name));
    expect(others.filter((name) => settings[name].default !== undefined)).toEqual([
      ...['size', 'minSize', 'maxSize', 'cluster', 'domain', 'index', 'address'],
      ...['topo', 'brokerOptions', 'http', 'apiListen', 'logFormat'],
    ]);
  });

  it('is required just where a pod without it is refused', () => {
    const facts = podFacts({}, untold);
    const found = { problems: [], terminal: false };
    const required = settingNames.filter((name) => settings[name].required);
    const refused = refusalOf(() => resolveConfiguration(facts, [], found));
    expect(refused.toSorted()).toEqual(required.map(environmentName).toSorted());
    const { configuration } = resolveAttachment(facts, [], found);
    for (const name of required) expect(configuration[name]).toBeDefined();
  });

  const rules = ['settings.ts', 'requirements.ts', 'pod-layer.ts', 'operator-layer.ts'];
  it.each(readdirSync('agent/config').filter((file) => !rules.includes(file)))(
    'is not named in %s: only rules between settings, and what detects them, name them',
    (file) => {
      const source = readFileSync(join('agent/config', file), 'utf8').replace(
        /^import .*$|^\s*(\/\/|\/?\*).*$/gm,
        '',
      );
      const written = settingNames.filter((name) =>
        new RegExp(
          `['"]${name}['"]|\\b(values|configuration|settings|sources|layer|facts)\\??\\.${name}\\b|${environmentName(name)}\\b`,
        ).test(source),
      );
      expect(written).toEqual([]);
    },
  );
});

describe('a row that is added to settings.ts', () => {
  it('is a setting, and no other file changes', () => {
    using program = copyProgram();
    program.insert(
      'agent/config/settings.ts',
      '  size: setting(',
      `  colourOf: setting(aChoice('red', 'green'), { default: 'green', meaning: 'the colour', readBy: ['run', 'attach'] }),\n`,
    );
    const facts = podFacts();
    expect(
      program.run(`
import { readConfigFile, readEnvironment, readFlags } from './agent/config/layers.ts';
import { settingsTable } from './agent/config/reference.ts';
import { resolveConfiguration } from './agent/config/resolve.ts';
import { attachFlags, settingFlags } from './entrypoint/command-line/arguments.ts';
import { manPage } from './entrypoint/command-line/man-page.ts';
import { loadVerbs } from './entrypoint/verbs.ts';
import { writeFileSync } from 'node:fs';

writeFileSync('config.toml', 'colour_of = "red"');
const layers = [
  {},
  readFlags({ 'colour-of': 'red' }).layer,
  readEnvironment({ FLUX_POD_COLOUR_OF: 'red' }).layer,
  (await readConfigFile('config.toml', false)).layer,
];
const resolve = (value) => {
  const { configuration, sources } = resolveConfiguration(
    ${JSON.stringify(facts)}, [value, { size: { value: 2, source: 'x' } }], { problems: [], terminal: false });
  return [configuration.colourOf, sources.colourOf?.source ?? 'default'];
};
const refusal = () => {
  try { return resolve({ colourOf: { value: 'blue', source: '--colour-of' } }); }
  catch (error) { return error.message.split('\\n')[1].trim(); }
};
console.log(JSON.stringify({
  resolved: layers.map(resolve),
  refused: refusal(),
  flags: ['colour-of' in settingFlags, 'colour-of' in attachFlags],
  reference: settingsTable().split('\\n')[2],
  manual: manPage('1', await loadVerbs()).includes('FLUX_POD_COLOUR_OF\\nthe colour (default: green)\\n'),
}));
`),
    ).toEqual({
      resolved: [
        ['green', 'default'],
        ['red', '--colour-of'],
        ['red', 'FLUX_POD_COLOUR_OF'],
        ['red', 'colour_of in config.toml'],
      ],
      refused: '--colour-of="blue": expected one of red, green',
      flags: [true, true],
      reference: '| `FLUX_POD_COLOUR_OF` | `green` | the colour |',
      manual: true,
    });
  });
});

function refusalOf(act: () => unknown): string[] {
  try {
    act();
  } catch (error) {
    if (error instanceof Error)
      return [...error.message.matchAll(/^ {2}(\w+): /gm)].map(([, name]) => name ?? '');
  }
  return [];
}
