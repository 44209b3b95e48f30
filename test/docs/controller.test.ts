import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ownRules, watchedRules } from '../../controller/install/manifests.ts';
import { statusSchema } from '../../controller/install/status-schema.ts';

const page = readFileSync('docs/controller.md', 'utf8');
const section = (title: string) => page.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';
const code = (text: string) => new Set([...text.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));

describe('docs/controller.md', () => {
  it('has the rules of both roles, and no other', () => {
    const rows = [...section('Roles').matchAll(/^\| `([^`]+)` \| ([a-z, ]+) \|$/gm)].map(
      ([, ...cells]) => cells,
    );
    const expected = [...watchedRules, ...ownRules].map(({ apiGroups, resources, verbs }) => [
      [resources[0], apiGroups[0]].filter(Boolean).join('.'),
      verbs.join(', '),
    ]);
    expect(rows).toEqual(expected);
  });

  it('names each field of the status', () => {
    const named = code(`${section('Status')}${section('Not yet')}`);
    const fields = Object.keys(statusSchema.properties ?? {});
    expect(fields.length).toBeGreaterThan(10);
    expect(fields.filter((field) => !named.has(field))).toEqual([]);
  });

  it('names each reason of a condition', () => {
    const source = readFileSync('controller/reconcile/minicluster-status.ts', 'utf8');
    // all('Reason', ...), condition('Type', holds, 'Reason', ...) and what a ternary chooses for either.
    const [, conditions = ''] = source.split('function lifeOf');
    const words = [...(conditions.split('function stateOf')[0] ?? '').matchAll(/'([A-Z][A-Za-z]+)'/g)];
    const types = ['Ready', 'Progressing', 'Succeeded', 'Failed', 'UpToDate', 'Complete'];
    const reasons = new Set(words.map(([, word = '']) => word).filter((word) => !types.includes(word)));
    expect(reasons.size).toBeGreaterThan(10);
    expect([...reasons].filter((reason) => !code(section('Status')).has(reason))).toEqual([]);
  });
});
