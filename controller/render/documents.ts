import { Document, parseAllDocuments } from 'yaml';
import { ExitCode, PodError } from '../../agent/errors.ts';
import type { Manifest } from './render-minicluster.ts';

/** An object of a file, and which document of it that is, from 1. */
export interface Source {
  readonly object: unknown;
  readonly number: number;
}

/** The objects of a YAML or JSON text, empty documents left out. Throws a PodError (exit 78) with file, line and column. */
export function parseDocuments(text: string, file: string): Source[] {
  const documents = parseAllDocuments(text, { merge: true, prettyErrors: true });
  return [...documents].flatMap((document, index) => {
    const [error] = document.errors;
    if (error) {
      const [first = ''] = error.message.split('\n', 1);
      throw new PodError(ExitCode.configuration, `Cannot read ${file} as YAML: ${first.replace(/:$/, '')}`);
    }
    const object: unknown = document.toJS();
    return object === null || object === undefined ? [] : [{ object, number: index + 1 }];
  });
}

/** `MiniCluster` of the Operator's group, whatever its version: a wrong version deserves its own message. */
export function isMiniCluster(object: unknown): boolean {
  const { apiVersion, kind } = identityOf(object);
  return kind === 'MiniCluster' && /^flux-framework\.org\//.test(apiVersion);
}

/** Kind and name of an object: `HorizontalPodAutoscaler flux-sample-hpa`. */
export function titleOf(object: unknown): string {
  const { kind, name } = identityOf(object);
  return [kind || 'something without a kind', name].filter((part) => part !== '').join(' ');
}

function identityOf(object: unknown): { apiVersion: string; kind: string; name: string } {
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const fieldsOf = (value: unknown): Record<string, unknown> =>
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const { apiVersion, kind, metadata } = fieldsOf(object);
  return { apiVersion: text(apiVersion), kind: text(kind), name: text(fieldsOf(metadata).name) };
}

/**
 * Objects as YAML for `kubectl apply -f -`. kubectl reads YAML 1.1, where a plain `on` or `0755` is no text: what either version would
 * read as something else is quoted.
 */
export function formatYaml(manifests: readonly Manifest[]): string {
  const texts = manifests.map((manifest) =>
    new Document(manifest, { aliasDuplicateObjects: false, compat: 'yaml-1.1' }).toString({ lineWidth: 0 }),
  );
  return texts.join('---\n');
}

/** The same as one JSON object, a List, which kubectl applies too. */
export function formatJson(manifests: readonly Manifest[]): string {
  return `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }, null, 2)}\n`;
}
