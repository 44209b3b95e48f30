import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { parse, parseAllDocuments } from 'yaml';
import type { Manifest } from '../../../controller/render/render-minicluster.ts';

export const directory = 'examples';

/** The examples, by their folders; `base` is what they have in common. */
export const exampleNames: readonly string[] = readdirSync(directory, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'base')
  .map(({ name }) => name)
  .sort();

/** YAML 1.1, as kubectl and kustomize read it: 0440 is an octal number there, and a bare `on` is true. */
const asKubectlReads = { version: '1.1', schema: 'yaml-1.1' } as const;

export const readYaml = (path: string): unknown => parse(readFileSync(path, 'utf8'), asKubectlReads);

const [program = 'kubectl', ...programArguments] = (process.env.KUBECTL ?? 'kubectl').split(' ');

/** Why no example can be built here, if so. */
export function kustomizeUnavailable(): string | undefined {
  try {
    const version = execFileSync(program, [...programArguments, 'version', '--client', '-o', 'json'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const { kustomizeVersion = 'v0' } = JSON.parse(version) as { kustomizeVersion?: string };
    // Labels that are set in selectors came with kustomize 4.1, and kubectl tells its kustomize's version since 1.24.
    const [major = 0] = kustomizeVersion.slice(1).split('.').map(Number);
    return major >= 4 ? undefined : `${program} is too old: kubectl 1.24 or later is needed`;
  } catch {
    return `there is no ${program}: install it, or set KUBECTL where it is called otherwise`;
  }
}

/** What `kubectl apply -k FOLDER` would apply. Warnings, such as of fields that kustomize will give up, are errors here. */
export function kustomize(folder: string): Manifest[] {
  const { status, stdout, stderr } = spawnSync(program, [...programArguments, 'kustomize', folder], {
    encoding: 'utf8',
  });
  if (status !== 0 || stderr !== '') throw new Error(`kubectl kustomize ${folder}: ${stderr}`);
  return [...parseAllDocuments(stdout, asKubectlReads)].map((document) => document.toJS());
}
