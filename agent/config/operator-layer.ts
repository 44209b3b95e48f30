/** The settings that follow from what the Flux Operator has put into the pod: `flux-pod run` in place of its wait script. */
import { existsSync } from 'node:fs';
import { parseHostlist } from '../cluster/hostlist.ts';
import type { PodFacts } from '../pod/facts.ts';
import type { OperatorLayout } from '../pod/operator-layout.ts';
import { operatorPaths } from '../pod/operator-paths.ts';
import type { Layer, RawSetting } from './layers.ts';
import { type SettingName, settings } from './settings.ts';

/** What the sources of these settings begin with. */
export const operatorSource = "the Operator's layout";

/** The last layer: where the pod itself has a name, that wins over the Operator's. `layers` are those before it. */
export function operatorLayerOf({ operator }: PodFacts, layers: readonly Layer[]): Layer {
  if (!operator) return {};
  const cluster = layers.map((layer) => layer.cluster?.value).find((value) => typeof value === 'string');
  return operatorLayer(operator, cluster);
}

/** `cluster` is the Job's name. `isThere` is whether a file exists. */
export function operatorLayer(
  layout: OperatorLayout,
  cluster: string | undefined,
  isThere: (path: string) => boolean = existsSync,
): Layer {
  const layer: { [Name in SettingName]?: RawSetting } = {};
  const set = (name: SettingName, value: unknown, path: string) => {
    if (value !== undefined) layer[name] = { value, source: `${operatorSource} (${path})` };
  };
  const { path: script, text } = layout.waitScript;
  const hosts = hostsOf(layout);
  // pkg/flux/config.go, getRequiredRanks: it is there where the list names more hosts than are wanted at the start.
  const quorum = /-Sbroker\.quorum=(\d+)/.exec(text)?.[1];
  set('size', quorum ?? hosts?.length, quorum === undefined ? operatorPaths.hostlist : script);
  set('maxSize', hosts?.length, operatorPaths.hostlist);
  const isOurs = hosts?.every((host, index) => host === `${cluster}-${index}`);
  if (!isOurs) set('hosts', layout.hostlist, operatorPaths.hostlist);
  set('port', /^\s*default_port\s*=\s*(\d+)/m.exec(layout.brokerToml)?.[1], operatorPaths.brokerToml);
  set('topo', /-Stbon\.topo=(\S+)/.exec(text)?.[1], script);
  if (/-Sbroker\.rc2_none\b/.test(text)) set('mode', 'interactive', script);
  if (layout.brokerToml.trim() !== '')
    set('brokerConfig', operatorPaths.brokerToml, operatorPaths.brokerToml);
  if (layout.hasCertificate && !isThere(settings.curveCert.default))
    set('curveCert', operatorPaths.certificate, operatorPaths.certificate);
  return layer;
}

/** Undefined where the list cannot be read: then it is refused as a setting, with its source. */
function hostsOf({ hostlist }: OperatorLayout): string[] | undefined {
  try {
    return parseHostlist(hostlist);
  } catch {
    return undefined;
  }
}
