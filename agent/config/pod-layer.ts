/** The settings that are detected from the pod. */
import type { PodFacts } from '../pod/facts.ts';
import { readIdentity } from '../pod/identity.ts';
import type { Layer } from './layers.ts';

/** The source of a value that is detected from the pod. */
export const thePod = 'the pod';

/** `layers` may choose the network interface. The Job controller's index wins over the hostname's. */
export function podLayer(facts: PodFacts, layers: readonly Layer[]): Layer {
  const chosen = layers.map((layer) => layer.interface?.value).find((name) => typeof name === 'string');
  const read = Object.entries(readIdentity(facts, chosen)).map(([name, value]) => [
    name,
    { value, source: thePod },
  ]);
  return { ...Object.fromEntries(read), ...variable('index', 'JOB_COMPLETION_INDEX', facts.completionIndex) };
}

/** The broker that `flux` itself connects to. */
export const fluxUriLayer = ({ fluxUri }: PodFacts): Layer =>
  fluxUri ? variable('socket', 'FLUX_URI', fluxUri) : {};

const variable = (name: keyof Layer, source: string, value: string | undefined): Layer =>
  value === undefined ? {} : { [name]: { value, source } };
