import { describe, expect, it } from 'vitest';
import { fluxUriLayer, podLayer } from '../../agent/config/pod-layer.ts';
import { settingNames, settings } from '../../agent/config/settings.ts';
import { podFacts } from '../support/bed/pod-facts.ts';

const variable = 'JOB_COMPLETION_INDEX';
const ofHostname = (index: number) => ({ value: index, source: 'the pod' });

describe('the index', () => {
  it.each([
    [variable, '7', 'mc-7', { value: '7', source: variable }],
    [`${variable} before the hostname`, '7', 'mc-1', { value: '7', source: variable }],
    [`the hostname where there is no ${variable}`, undefined, 'mc-1', ofHostname(1)],
    [
      `${variable} where that is no index, to be refused by its name`,
      'x',
      'mc-1',
      { value: 'x', source: variable },
    ],
    [`${variable} where the hostname tells none`, '7', 'worker', { value: '7', source: variable }],
    ['nowhere', undefined, 'worker', undefined],
  ])('is read off %s', (_, completionIndex, hostname, index) => {
    expect(podLayer(podFacts({}, { completionIndex, hostname }), []).index).toEqual(index);
  });
});

describe('what is detected from the pod', () => {
  it('is what the reference names as detected from the pod', () => {
    const detected = settingNames.filter((name) => settings[name].detected);
    expect(Object.keys(podLayer(podFacts(), [])).toSorted()).toEqual(detected.toSorted());
  });

  it('is the address of the interface that the first layer to choose one names', () => {
    const layers = [{}, { interface: { value: 'lo', source: '--interface' } }];
    expect(podLayer(podFacts(), layers).address).toEqual({ value: '127.0.0.1', source: 'the pod' });
  });
});

describe('the broker that flux would speak to', () => {
  it.each([
    ['local:///a', { socket: { value: 'local:///a', source: 'FLUX_URI' } }],
    ['', {}],
    [undefined, {}],
  ])('of FLUX_URI=%s is %j', (fluxUri, layer) => {
    expect(fluxUriLayer(podFacts({}, { fluxUri }))).toEqual(layer);
  });
});
