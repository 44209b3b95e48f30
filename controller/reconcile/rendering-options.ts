import type { KubernetesObject } from '../kubernetes/object.ts';
import type { RenderOptions } from '../render/minicluster/cluster.ts';
import { installerAnnotation, installerOf } from '../render/reserved/names.ts';
import { derivedCertificate } from './certificate.ts';

export interface RenderingDefaults
  extends Pick<RenderOptions, 'user' | 'extras' | 'viewImage' | 'controllerNamespace'> {
  /** flux-pod's own image, or `none`; a MiniCluster's annotation flux-pod/image-installer wins. */
  readonly installer: string;
  /** Of the certificates. A secret. */
  readonly seed: Uint8Array;
}

/** The options with which the controller renders a MiniCluster: always the same for the same one. */
export const renderingOptions =
  ({ installer, seed, ...common }: RenderingDefaults) =>
  ({ metadata }: KubernetesObject): RenderOptions => ({
    installer: installerOf(metadata.annotations?.[installerAnnotation] ?? installer),
    ...common,
    secret: undefined,
    certificate: undefined,
    freshCertificate: derivedCertificate(seed, {
      uid: metadata.uid ?? '',
      name: metadata.name,
      created: metadata.creationTimestamp ?? '',
    }),
  });
