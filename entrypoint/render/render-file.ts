/** dist/render.cjs: what renders MiniClusters, for `flux-pod render` to load. Nothing of it is in flux-pod.cjs or its chunks. */
import { readFileSync } from 'node:fs';
import { formatCertificate } from '../../agent/broker/certificate/curve-certificate.ts';
import { createCertificate } from '../../agent/broker/certificate/key-pair.ts';
import { checkKeyPair, readMountedCertificate } from '../../agent/broker/certificate/mounted-certificate.ts';
import { ExitCode, messageOf, PodError } from '../../agent/errors.ts';
import { printable } from '../../agent/printable.ts';
import {
  formatJson,
  formatYaml,
  isMiniCluster,
  parseDocuments,
  titleOf,
} from '../../controller/render/documents.ts';
import type { RenderOptions } from '../../controller/render/minicluster/cluster.ts';
import { isObjectName } from '../../controller/render/minicluster/field-kinds.ts';
import { readMiniCluster } from '../../controller/render/minicluster/read-minicluster.ts';
import type { MiniCluster } from '../../controller/render/minicluster/schema.ts';
import { type Rendering, renderMiniCluster } from '../../controller/render/render-minicluster.ts';
import { installerAnnotation, installerOf } from '../../controller/render/reserved/names.ts';
import type { Flags } from '../command-line/arguments.ts';
import { defaultInstaller } from '../command-line/render-flags.ts';
import { extrasOf, imageOf, userOf } from '../command-line/render-options.ts';
import type { RenderBundle } from '../verbs/setup/render.ts';

/** The MiniClusters of a file as manifests on stdout, and warnings on stderr. Resolves to 0, or throws a PodError (exit 64, 77 or 78). */
export const renderFile: RenderBundle['renderFile'] = async ({ flags, positionals }) => {
  const [file] = positionals;
  if (file === undefined)
    throw usage('FILE is missing', '`flux-pod render minicluster.yaml`, or `-` for stdin.');
  const format = formatOf(flags);
  const optionsFor = await readOptions(flags);
  const name = file === '-' ? 'stdin' : file;
  const sources = parseDocuments(readInput(file), name);
  const miniClusters = sources.filter(({ object }) => isMiniCluster(object));
  const others = sources.filter(({ object }) => !isMiniCluster(object)).map(({ object }) => titleOf(object));
  if (miniClusters.length === 0) throw withoutMiniCluster(name, others);

  const renderings = miniClusters.map(({ object, number }): Rendering => {
    const place = sources.length > 1 ? `, document ${number}` : '';
    const miniCluster = inNamespace(
      readMiniCluster(object, `${titleOf(object)} of ${name}${place}`),
      flags.namespace,
    );
    return renderMiniCluster(miniCluster, optionsFor(miniCluster));
  });
  for (const other of others)
    process.stderr.write(`warning: ${printable(other)} is no MiniCluster and not rendered\n`);
  for (const { path, why } of renderings.flatMap(({ warnings }) => warnings)) {
    process.stderr.write(`warning: ${printable(`${path} ${why}`)}\n`);
  }
  if (JSON.stringify(renderings).includes(JSON.stringify(defaultInstaller)))
    process.stderr.write(
      `note: the pods take flux-pod from the image ${defaultInstaller}, which no registry has: put it into the cluster, or name yours with --image-installer\n`,
    );
  process.stdout.write(format(renderings.flatMap(({ manifests }) => manifests)));
  return 0;
};

const usage = (why: string, hint = '`flux-pod render --help` explains the flags.') =>
  new PodError(ExitCode.usage, `Cannot render: ${why}`, { hint });

function readInput(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw usage(
      `${file} cannot be read (${messageOf(error)})`,
      'Give a file with a MiniCluster, or `-` for stdin.',
    );
  }
}

function withoutMiniCluster(file: string, others: readonly string[]): PodError {
  const found =
    others.length === 0 ? 'it is empty' : `it holds ${[...new Set(others)].slice(0, 5).join(', ')}`;
  const more = new Set(others).size > 5 ? ` and ${new Set(others).size - 5} more` : '';
  return new PodError(
    ExitCode.configuration,
    `Cannot render ${file}: no MiniCluster is in it, ${found}${more}`,
    {
      hint: 'A MiniCluster begins with `apiVersion: flux-framework.org/v1alpha2` and `kind: MiniCluster`.',
    },
  );
}

function inNamespace(miniCluster: MiniCluster, namespace: unknown): MiniCluster {
  if (typeof namespace !== 'string') return miniCluster;
  return { ...miniCluster, metadata: { ...miniCluster.metadata, namespace } };
}

function formatOf({ output = 'yaml' }: Flags): typeof formatYaml {
  if (output === 'yaml') return formatYaml;
  if (output === 'json') return formatJson;
  throw usage(`--output ${String(output)} is neither yaml nor json`);
}

/** The options of the flags, and of the MiniCluster's annotation where a flag is missing. */
async function readOptions(flags: Flags): Promise<(miniCluster: MiniCluster) => RenderOptions> {
  const installer = imageOf(flags, 'image-installer');
  const viewImage = imageOf(flags, 'image-view');
  const user = userOf(flags.user);
  const chosen = extrasOf(flags);
  const secret = objectNameOf(flags, 'secret');
  objectNameOf(flags, 'namespace');
  const sources = ['secret', 'certificate', 'fresh-certificate'].filter((name) => flags[name] !== undefined);
  if (sources.length > 1) throw usage(`--${sources.join(' and --')} contradict each other`);
  const certificate =
    typeof flags.certificate === 'string' ? await readCertificate(flags.certificate) : undefined;
  return ({ metadata }) => {
    const freshCertificate = newCertificate(metadata.name);
    const image = installer ?? metadata.annotations?.[installerAnnotation] ?? defaultInstaller;
    return {
      installer: installerOf(image),
      viewImage,
      user,
      extras: chosen,
      secret,
      certificate: flags['fresh-certificate'] ? freshCertificate : certificate,
      freshCertificate,
    };
  };
}

async function readCertificate(file: string): Promise<string> {
  const certificate = readMountedCertificate(file);
  await checkKeyPair(file, certificate);
  return formatCertificate(certificate);
}

const newCertificate = (name: string): string =>
  formatCertificate(createCertificate({ name, time: new Date().toISOString().slice(0, 19) }));

function objectNameOf(flags: Flags, flag: 'secret' | 'namespace'): string | undefined {
  const name = flags[flag];
  if (typeof name !== 'string' || isObjectName(name)) return name as string | undefined;
  throw usage(
    `--${flag} ${JSON.stringify(name)} is no name for a ${flag}: expected a DNS name (a-z, 0-9, - and .)`,
  );
}
