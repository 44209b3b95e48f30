import { describe, expect, it } from 'vitest';
import { readEnvironment, readFlags } from '../../agent/config/layers.ts';
import { resolveAttachment } from '../../agent/config/resolve.ts';
import type { PodFacts } from '../../agent/pod/facts.ts';
import { podFacts } from '../support/bed/pod-facts.ts';

interface Given {
  readonly flags?: Record<string, string>;
  readonly environment?: NodeJS.ProcessEnv;
  readonly facts?: Partial<PodFacts>;
}

function resolve({ flags = {}, environment = {}, facts = {} }: Given) {
  const readings = [readFlags(flags), readEnvironment(environment)];
  return resolveAttachment(
    podFacts({}, facts),
    readings.map(({ layer }) => layer),
    { problems: readings.flatMap(({ problems }) => problems), terminal: false },
  );
}

describe('the settings of flux-pod attach', () => {
  it('need nothing at all: the instance is read from the broker', () => {
    const facts = { hostname: 'web-6d4f', completionIndex: undefined, etcHosts: '', interfaces: [] };
    const { configuration } = resolve({ facts });
    expect(configuration).toMatchObject({
      socket: undefined,
      linger: undefined,
      ready: 'run',
      http: { host: '0.0.0.0', port: 8051 },
    });
  });

  it.each<[string, Given, string, string]>([
    ['a flag', { flags: { socket: '/a' }, environment: { FLUX_POD_SOCKET: '/b' } }, '/a', '--socket'],
    [
      'a variable',
      { environment: { FLUX_POD_SOCKET: 'local:///b' }, facts: { fluxUri: 'local:///c' } },
      '/b',
      'FLUX_POD_SOCKET',
    ],
    ['what flux itself would use', { facts: { fluxUri: 'local:///c' } }, '/c', 'FLUX_URI'],
  ])('take the socket from %s, and say so', (_, given, socket, source) => {
    const { configuration, sources } = resolve(given);
    expect({ socket: configuration.socket, source: sources.socket?.source }).toEqual({ socket, source });
  });

  it('are not troubled by what belongs to the container beside it', () => {
    const environment = { FLUX_POD_SIZE: 'many', FLUX_POD_MODE: 'submit', FLUX_POD_LEADER: '10.0.0.1:8050' };
    expect(resolve({ environment }).configuration).toMatchObject({ size: 1, mode: 'start' });
  });

  it.each<[string, Given, string]>([
    [
      'a socket on another machine',
      { facts: { fluxUri: 'ssh://node/run/flux/local' } },
      'FLUX_URI="ssh://node/run/flux/local": expected local://PATH or an absolute path, of at most 107 bytes',
    ],
    [
      'a path that no socket can have',
      { flags: { socket: `/${'x'.repeat(107)}` } },
      `--socket="/${'x'.repeat(78)}: expected local://PATH or an absolute path, of at most 107 bytes`,
    ],
    [
      'a misspelt setting',
      { environment: { FLUX_POD_SOKET: '/a' } },
      'FLUX_POD_SOKET: no such setting; did you mean FLUX_POD_SOCKET?',
    ],
  ])('refuse %s', (_, given, problem) => {
    expect(() => resolve(given)).toThrow(`Cannot use this configuration, 1 problem:\n  ${problem}`);
  });
});
