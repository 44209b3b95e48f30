import type { Configuration } from '../../../agent/config/configuration.ts';
import { resolveConfiguration } from '../../../agent/config/resolve.ts';
import type { SettingName } from '../../../agent/config/settings.ts';
import type { PodFacts } from '../../../agent/pod/facts.ts';
import { podFacts } from '../bed/pod-facts.ts';

export type Given = Partial<Record<SettingName, unknown>>;

/**
 * The configuration that flux-pod would resolve in mc-0, or in mc-N where `set` says `index: N`. `set` holds settings as a
 * user writes them, and `facts` replaces what the pod tells. Unless set, the size is 1 and the resources are Flux's to discover:
 * what this machine has must not matter.
 */
export function configurationOf(set: Given = {}, facts: Partial<PodFacts> = {}): Configuration {
  const index = Number(set.index ?? 0);
  const address = String(set.address ?? '10.88.0.2');
  const given = Object.entries({ size: 1, resources: 'discover', ...set });
  const layer = Object.fromEntries(given.map(([name, value]) => [name, { value, source: name }]));
  return resolveConfiguration(podFacts({ name: `mc-${index}`, index, address }, facts), [layer], {
    problems: [],
    terminal: false,
  }).configuration;
}
