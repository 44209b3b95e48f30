import { expect, it } from 'vitest';
import { isElastic } from '../../agent/broker/elastic.ts';
import { configurationOf, type Given } from '../support/agent/configuration.ts';

it.each<[Given, boolean]>([
  [{ size: 4 }, false],
  [{ size: 4, minSize: 2 }, true],
  [{ size: 2, maxSize: 4 }, true],
  [{ size: 4, minSize: 4, maxSize: 4 }, false],
  [{ size: 2, minSize: 1, hosts: 'mc-[0-1],burst-[0-1]' }, false],
])('an instance of %j is elastic: %j', (set, expected) => {
  expect(isElastic(configurationOf(set))).toBe(expected);
});
