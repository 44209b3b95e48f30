import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readConfigFile, readEnvironment, readFlags } from '../../agent/config/layers.ts';

const directory = mkdtempSync(join(tmpdir(), 'flux-pod-layers-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Writes a TOML file of its own and returns its path. */
let files = 0;
const toml = (content: string): string => {
  files += 1;
  const path = join(directory, `config-${files}.toml`);
  writeFileSync(path, content);
  return path;
};

describe('flags', () => {
  it('set what they are named after', () => {
    const { layer, problems } = readFlags({
      size: '4',
      'peer-timeout': '90s',
      config: '/x.toml',
      verbose: true,
    });
    expect(layer).toEqual({
      size: { value: '4', source: '--size' },
      peerTimeout: { value: '90s', source: '--peer-timeout' },
    });
    expect(problems).toEqual([]);
  });
});

describe('the environment', () => {
  it('sets what its FLUX_POD_ variables are named after, and other variables set nothing', () => {
    const { layer, problems } = readEnvironment({
      FLUX_POD_PEER_TIMEOUT: '90s',
      FLUX_POD_SIZE: '4',
      FLUX_URI: 'local:///x',
      SIZE: '5',
      flux_pod_size: '6',
    });
    expect(layer).toEqual({
      size: { value: '4', source: 'FLUX_POD_SIZE' },
      peerTimeout: { value: '90s', source: 'FLUX_POD_PEER_TIMEOUT' },
    });
    expect(problems).toEqual([]);
  });

  it.each(['FLUX_POD_SIZE', 'FLUX_POD_CONFIG', 'FLUX_POD_NO_SUCH_SETTING'])(
    'leaves %s unset where it is empty',
    (variable) => {
      expect(readEnvironment({ [variable]: '' })).toEqual({ layer: {}, problems: [] });
    },
  );

  it.each(['FLUX_POD_CONFIG', 'FLUX_POD_STAGE'])('may hold %s, which is no setting', (variable) => {
    expect(readEnvironment({ [variable]: 'pre' })).toEqual({ layer: {}, problems: [] });
  });

  it.each([
    ['FLUX_POD_SIZES', 'no such setting; did you mean FLUX_POD_SIZE?'],
    ['FLUX_POD_MAXSIZE', 'no such setting; did you mean FLUX_POD_MAX_SIZE?'],
    ['FLUX_POD_CLUSTRE', 'no such setting; did you mean FLUX_POD_CLUSTER?'],
    ['FLUX_POD_CONFGI', 'no such setting; did you mean FLUX_POD_CONFIG?'],
    ['FLUX_POD_FROBNICATION', 'no such setting'],
  ])('is refused with %s in it: %s', (variable, expected) => {
    expect(readEnvironment({ [variable]: '4' }).problems).toEqual([{ name: variable, expected }]);
  });
});

describe('the variables that Kubernetes makes of a Service', () => {
  it.each([
    ['flux-pod', 'FLUX_POD', '10.96.7.7'],
    ['flux-pod-api', 'FLUX_POD_API', '10.96.7.7'],
    ['flux-pod-size', 'FLUX_POD_SIZE', '10.96.7.7'],
    ['flux-pod-service', 'FLUX_POD_SERVICE', '10.96.7.7'],
    ['flux-pod-port', 'FLUX_POD_PORT', 'fd00::7'],
    ['flux-pod-service-host', 'FLUX_POD_SERVICE_HOST', '10.96.7.7'],
  ])('named %s are not taken for settings', (_, stem, address) => {
    const { layer, problems } = readEnvironment({ ...serviceLinks(stem, address), FLUX_POD_SIZE: '4' });
    expect(problems).toEqual([]);
    expect(layer).toEqual({ size: { value: '4', source: 'FLUX_POD_SIZE' } });
  });

  it('are distinguished though several Services begin alike', () => {
    const links = ['FLUX_POD', 'FLUX_POD_API', 'FLUX_POD_API_2'].map((stem) =>
      serviceLinks(stem, '10.96.7.7'),
    );
    expect(readEnvironment(Object.assign({}, ...links))).toEqual({ layer: {}, problems: [] });
  });

  it('yield to a port that the pod template sets itself', () => {
    const environment = { ...serviceLinks('FLUX_POD', '10.96.7.7'), FLUX_POD_PORT: '9000' };
    expect(readEnvironment(environment).layer.port).toEqual({ value: '9000', source: 'FLUX_POD_PORT' });
  });

  it('hide no slip: a Service has only its own variables', () => {
    const environment = { ...serviceLinks('FLUX_POD', '10.96.7.7'), FLUX_POD_SERVICE_PROT: '80' };
    expect(readEnvironment(environment).problems).toMatchObject([{ name: 'FLUX_POD_SERVICE_PROT' }]);
  });

  it('are settings where there is no such Service', () => {
    expect(readEnvironment({ FLUX_POD_PORT: 'tcp://10.96.7.7:80' })).toEqual({
      layer: { port: { value: 'tcp://10.96.7.7:80', source: 'FLUX_POD_PORT' } },
      problems: [],
    });
    expect(readEnvironment({ FLUX_POD_API_PORT_80_TCP_PROTO: 'tcp' }).problems).toEqual([
      { name: 'FLUX_POD_API_PORT_80_TCP_PROTO', expected: 'no such setting' },
    ]);
  });
});

describe('the TOML file', () => {
  it('sets what its keys are named after, in the types of TOML', async () => {
    const path = toml('size = 4\npeer_timeout = "90s"\nbroker_options = ["-v", "-Sa=one word"]\n');
    expect(await readConfigFile(path, false)).toEqual({
      layer: {
        size: { value: 4, source: `size in ${path}` },
        peerTimeout: { value: '90s', source: `peer_timeout in ${path}` },
        brokerOptions: { value: ['-v', '-Sa=one word'], source: `broker_options in ${path}` },
      },
      problems: [],
    });
  });

  it.each(['', '# nothing is set\n'])('may be empty: %j', async (content) => {
    expect(await readConfigFile(toml(content), false)).toEqual({ layer: {}, problems: [] });
  });

  it.each([
    ['sise = 4', 'sise', 'no such setting; did you mean size?'],
    ['peer-timeout = 4', 'peer-timeout', 'no such setting; did you mean peer_timeout?'],
    ['peerTimeout = 4', 'peerTimeout', 'no such setting; did you mean peer_timeout?'],
    ['frobnication = 4', 'frobnication', 'no such setting'],
    ['[flux_pods]\nsize = 4', 'flux_pods', 'no such setting'],
  ])('is refused with an unknown key: %s', async (content, key, expected) => {
    const path = toml(content);
    const { layer, problems } = await readConfigFile(path, false);
    expect(problems).toEqual([{ name: `${key} in ${path}`, expected }]);
    expect(layer).toEqual({});
  });

  it('is refused without a word of its lines, which may hold a secret', async () => {
    const lines = ['token = "s3cr3t-1"', 's3cr3t-2 s3cr3t-3', 'key = "s3cr3t-4"'];
    const { problems } = await readConfigFile(toml(lines.join('\n')), true);
    expect(problems).toEqual([
      { name: expect.anything(), expected: expect.stringContaining('(line 2, column') },
    ]);
    expect(JSON.stringify(problems)).not.toContain('s3cr3t');
  });

  it.each(['size = = 4\n', 'size\n', 'size = 1\nsize = 2\n', '[size\n', 'size = 99999999999999999999\n'])(
    'is refused whole where it is no TOML: %j',
    async (content) => {
      const path = toml(content);
      const { layer, problems } = await readConfigFile(path, true);
      expect(problems).toEqual([
        { name: path, expected: expect.stringMatching(/^TOML: \S.* \(line \d+, column \d+\)$/) },
      ]);
      expect(layer).toEqual({});
    },
  );

  it('may be missing at the default path', async () => {
    expect(await readConfigFile(join(directory, 'none.toml'), true)).toEqual({ layer: {}, problems: [] });
    expect(await readConfigFile(join(toml(''), 'none.toml'), true)).toEqual({ layer: {}, problems: [] });
  });

  it.each([
    ['is not there', () => join(directory, 'none.toml'), false, /ENOENT/],
    ['is a directory', () => directory, true, /EISDIR/],
  ])('is refused where it was named and %s', async (_, path, optional, why) => {
    const { layer, problems } = await readConfigFile(path(), optional);
    expect(problems).toEqual([
      {
        name: 'FLUX_POD_CONFIG',
        value: path(),
        expected: expect.stringMatching(/^a file that can be read \(/),
      },
    ]);
    expect(problems[0]?.expected).toMatch(why);
    expect(layer).toEqual({});
  });
});

/** What the kubelet sets for a Service with one named port (kubernetes pkg/kubelet/envvars/envvars.go). */
function serviceLinks(stem: string, address: string): Record<string, string> {
  const url = `tcp://${address.includes(':') ? `[${address}]` : address}:80`;
  return {
    [`${stem}_SERVICE_HOST`]: address,
    [`${stem}_SERVICE_PORT`]: '80',
    [`${stem}_SERVICE_PORT_WEB_UI`]: '80',
    [`${stem}_PORT`]: url,
    [`${stem}_PORT_80_TCP`]: url,
    [`${stem}_PORT_80_TCP_PROTO`]: 'tcp',
    [`${stem}_PORT_80_TCP_PORT`]: '80',
    [`${stem}_PORT_80_TCP_ADDR`]: address,
  };
}
