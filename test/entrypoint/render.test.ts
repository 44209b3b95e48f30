import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { parseCertificate } from '../../agent/broker/certificate/curve-certificate.ts';
import { isKeyPair } from '../../agent/broker/certificate/key-pair.ts';
import { ExitCode, PodError } from '../../agent/errors.ts';
import { parseVerbArguments } from '../../entrypoint/command-line/arguments.ts';
import { renderFile } from '../../entrypoint/render/render-file.ts';
import { render } from '../../entrypoint/verbs/setup/render.ts';
import { runVerb } from '../../entrypoint/verbs.ts';
import { byFluxKeygen } from '../support/agent/certificates.ts';
import { miniCluster } from '../support/manifests/miniclusters.ts';

const directory = mkdtempSync(join(tmpdir(), 'flux-pod-render-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

const file = (name: string, content: string, mode = 0o600): string => {
  const path = join(directory, name);
  writeFileSync(path, content, { mode });
  return path;
};
const usual = file('minicluster.yaml', JSON.stringify(miniCluster({ flux: { arch: 'arm' } })));

/** As dist/render.cjs is called. */
const renders = async (args: readonly string[]) =>
  renderFile(parseVerbArguments('render', args, render.flags, render.takes));

/** What the verb writes: the objects of stdout, and stderr. */
async function rendered(...args: string[]) {
  const written = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      written[stream] += text;
      return true;
    });
  }
  expect(await renders(args)).toBe(0);
  const objects = [...parseAllDocuments(written.stdout)].map((document) => document.toJS());
  return { ...written, objects, find: (kind: string) => objects.find((object) => object.kind === kind) };
}

async function refused(...args: string[]): Promise<PodError> {
  const error = await renders(args).catch((thrown: unknown) => thrown);
  if (error instanceof PodError) return error;
  throw new Error(`not refused: ${error}`);
}

const certificateOf = (secret: { data: Record<string, string> }) =>
  parseCertificate(Buffer.from(secret.data['curve.cert'] ?? '', 'base64').toString());

describe('flux-pod render', () => {
  it('writes YAML on stdout and warnings on stderr', async () => {
    const { objects, stderr } = await rendered(usual);
    expect(objects.map(({ kind }) => kind).at(-1)).toBe('Job');
    expect(stderr.split('\n')).toEqual([
      'warning: spec.flux.arch is not used: nothing is downloaded when a pod starts',
      expect.stringMatching(
        /^note: the pods take flux-pod from the image flux-pod-installer:\S+, which no registry has: /,
      ),
      '',
    ]);
  });

  it.each(['registry.example/flux-pod-installer:1', 'none'])(
    'warns of no image that was chosen: %s',
    async (image) => {
      const { stderr } = await rendered(usual, '--image-installer', image);
      expect(stderr).toBe('warning: spec.flux.arch is not used: nothing is downloaded when a pod starts\n');
    },
  );

  it('writes one List as JSON', async () => {
    const { stdout } = await rendered(usual, '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'List', apiVersion: 'v1' });
  });

  it('makes a new certificate each time, one that is right', async () => {
    const readings = [await rendered(usual), await rendered(usual)].map(({ find }) =>
      certificateOf(find('Secret')),
    );
    const keys = readings.map((reading) => ('certificate' in reading ? reading.certificate : undefined));
    expect(keys.every((key) => key && isKeyPair(key))).toBe(true);
    expect(keys[0]?.secretKey).not.toBe(keys[1]?.secretKey);
  });

  it('takes a certificate from a file, or leaves it to an existing Secret', async () => {
    const certificate = file('curve.cert', byFluxKeygen);
    const { find } = await rendered(usual, '--certificate', certificate);
    expect(certificateOf(find('Secret'))).toMatchObject({ certificate: { metadata: { name: 'mycurve' } } });
    expect((await rendered(usual, '--secret', 'mine')).find('Secret')).toBeUndefined();
  });

  it('replaces the certificate of the MiniCluster only where that is asked for', async () => {
    const own = file('own.yaml', JSON.stringify(miniCluster({ flux: { curveCert: byFluxKeygen } })));
    const nameOf = async (...flags: string[]) => {
      const reading = certificateOf((await rendered(own, ...flags)).find('Secret'));
      return 'certificate' in reading ? reading.certificate.metadata.name : undefined;
    };
    expect(await nameOf()).toBe('mycurve');
    expect(await nameOf('--fresh-certificate')).toBe('mc');
  });

  it('takes the installer from the flag, else from the annotation', async () => {
    const annotations = { 'flux-pod/image-installer': 'registry/flux-pod:2' };
    const annotated = file('annotated.yaml', JSON.stringify(miniCluster({}, {}, { annotations })));
    const imageOf = async (...args: string[]) =>
      (await rendered(...args)).find('Job').spec.template.spec.initContainers[0];
    expect(await imageOf(annotated)).toMatchObject({ image: 'registry/flux-pod:2' });
    expect(await imageOf(annotated, '--image-installer', 'other:1')).toMatchObject({ image: 'other:1' });
    expect(await imageOf(annotated, '--image-installer=none')).toMatchObject({ name: 'flux-view' });
  });

  it.each(['image-installer', 'image-view'])('refuses a name that no image has: --%s', async (flag) => {
    for (const name of ['', 'two words'])
      expect(await refused(usual, `--${flag}`, name)).toMatchObject({
        exitCode: ExitCode.usage,
        message: `Cannot render: --${flag} ${JSON.stringify(name)} is no name of an image`,
      });
  });

  it('takes an image of a view with flux-pod', async () => {
    const image = 'registry.example/flux-pod-view:1';
    const { find, stderr } = await rendered(usual, '--image-view', image);
    const { spec } = find('Job').spec.template;
    expect(stderr).not.toContain('note:');
    expect(spec.initContainers.map((container: { image: string }) => container.image)).toEqual([image]);
  });

  it('takes namespace, user and extras', async () => {
    const args = [
      '-n',
      'hpc',
      '--user',
      '7:8',
      '--with',
      'http-service',
      '--without',
      'probes,network-policy',
    ];
    const { objects, find } = await rendered(usual, ...args);
    expect(objects.every(({ metadata }) => metadata.namespace === 'hpc')).toBe(true);
    expect(find('Job').spec.template.spec.securityContext).toMatchObject({
      runAsUser: 7,
      runAsGroup: 8,
      fsGroup: 8,
    });
    expect(find('Job').spec.template.spec.containers[0]).not.toHaveProperty('livenessProbe');
    expect(find('NetworkPolicy')).toBeUndefined();
    expect(objects.map(({ metadata }) => metadata.name)).toContain('mc-http');
  });

  it('renders every MiniCluster of a file and names what else is in it', async () => {
    const other = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } };
    const documents = [miniCluster(), other, miniCluster({}, {}, { name: 'second' })];
    const several = file(
      'several.yaml',
      documents.map((document) => JSON.stringify(document)).join('\n---\n'),
    );
    const { objects, stderr } = await rendered(several);
    expect(objects.filter(({ kind }) => kind === 'Job').map(({ metadata }) => metadata.name)).toEqual([
      'mc',
      'second',
    ]);
    expect(stderr).toContain('warning: ConfigMap c is no MiniCluster and not rendered\n');
  });
});

describe('flux-pod render refuses', () => {
  it.each([
    ['no FILE', [], ExitCode.usage, /FILE is missing/],
    ['a FILE that is not there', ['/nowhere.yaml'], ExitCode.usage, /nowhere\.yaml cannot be read \(ENOENT/],
    ['two FILEs', [usual, usual], ExitCode.usage, /is a word too many/],
    ['an unknown flag', [usual, '--namespaces'], ExitCode.usage, /Unknown option '--namespaces'/],
    ['an unknown format', [usual, '-o', 'xml'], ExitCode.usage, /--output xml is neither yaml nor json/],
    ['an unknown extra', [usual, '--with', 'tea'], ExitCode.usage, /"tea" is none of probes, network-policy/],
    [
      'a user by name',
      [usual, '--user', 'root'],
      ExitCode.usage,
      /--user root is neither UID, UID:GID nor image/,
    ],
    [
      'a Secret without a right name',
      [usual, '--secret', 'My_Secret'],
      ExitCode.usage,
      /"My_Secret" is no name for a secret/,
    ],
    [
      'two certificates',
      [usual, '--secret', 's', '--fresh-certificate'],
      ExitCode.usage,
      /--secret and --fresh-certificate contradict/,
    ],
    [
      'a certificate that is none',
      [usual, '--certificate', usual],
      ExitCode.certificate,
      /it is damaged: line 1/,
    ],
    [
      'a certificate that everybody can read',
      [usual, '--certificate', file('open.cert', byFluxKeygen, 0o644)],
      ExitCode.certificate,
      /every user can read/,
    ],
    ['no YAML', [file('broken.yaml', 'a: [')], ExitCode.configuration, /broken\.yaml as YAML: .* line 1/],
    [
      'an empty file',
      [file('empty.yaml', '')],
      ExitCode.configuration,
      /no MiniCluster is in it, it is empty/,
    ],
    [
      'another kind',
      [file('pod.yaml', 'kind: Pod\nmetadata: { name: p }')],
      ExitCode.configuration,
      /it holds Pod p/,
    ],
    [
      'a wrong MiniCluster, by its name and path',
      [file('wrong.yaml', JSON.stringify(miniCluster({ sise: 1 })))],
      ExitCode.configuration,
      /Cannot render MiniCluster mc of .*wrong\.yaml, 1 problem:\n {2}spec\.sise: a MiniCluster has no such field/,
    ],
  ])('%s', async (_, args, code, message) => {
    const error = await refused(...args);
    expect(error.message).toMatch(message);
    expect(error.exitCode).toBe(code);
  });
});

it('flux-pod render is not part of what runs in pods, and says where it is', async () => {
  const program = process.argv[1];
  onTestFinished(() => void process.argv.splice(1, 1, program ?? ''));
  process.argv[1] = join(directory, 'flux-pod.cjs');
  await expect(runVerb('render', [usual])).rejects.toMatchObject({
    exitCode: ExitCode.configuration,
    message: `Cannot run the renderer: it is not part of this installation, ${directory} has no render.cjs`,
    hint: expect.stringMatching(/^The installer image has it/),
  });
});
