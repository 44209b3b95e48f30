import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ExitCode } from '../../agent/errors.ts';
import { miniClusterSchema } from '../../controller/render/minicluster/schema.ts';
import { type Reaction, reactionTo } from '../support/manifests/job-controller.ts';
import { type Effect, effectOf, leaves } from '../support/manifests/minicluster-fields.ts';
import { type GivenSpec, jobOf, render } from '../support/manifests/miniclusters.ts';
import { haveSharedFixtures, miniClusterSpecSchema } from '../support/manifests/shared-fixtures.ts';

interface Row {
  /** As in the table: `spec.containers[].volumes.NAME.path`. */
  readonly field: string;
  /** What it says becomes of the field; for containers, of those that run Flux and of those beside. */
  readonly outcomes: readonly string[];
}

/** The rows of the tables below a heading that names the fields above them. */
function rowsOf(markdown: string): Row[] {
  let above: string[] = [];
  return markdown.split('\n').flatMap((line) => {
    if (line.startsWith('#')) above = codeIn(line).filter((name) => name.startsWith('spec'));
    const [, name, cells = ''] = /^\| `([^`]+)` \| (.+) \|$/.exec(line) ?? [];
    return name === undefined
      ? []
      : above.map((base) => ({ field: `${base}.${name}`, outcomes: cells.split(' | ') }));
  });
}

const codeIn = (line: string): string[] => [...line.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);

/** `.containers[].volumes.*.items.*` as the table has it: a map or a list of plain values is one row. */
const asInTable = (path: string): string =>
  `spec${path.replace(/(\.\*|\[\])+$/, '').replaceAll('.*', '.NAME')}`;

const rows = rowsOf(readFileSync('docs/from-the-operator.md', 'utf8'));
const fields = rows.map(({ field }) => field);

/** Every field that `flux-pod render` reads, as the paths of a JSON schema. */
function readFields(schema: unknown, path: string): string[] {
  const { def } = schema as { def: Record<string, unknown> };
  const { type, shape, innerType, element, valueType } = def as {
    type: string;
    shape?: Record<string, unknown>;
    innerType?: unknown;
    element?: unknown;
    valueType?: unknown;
  };
  switch (type) {
    case 'object':
      return Object.entries(shape ?? {}).flatMap(([key, inner]) => readFields(inner, `${path}.${key}`));
    case 'optional':
      return readFields(innerType, path);
    case 'array':
      return readFields(element, `${path}[]`);
    case 'record':
      return readFields(valueType, `${path}.*`);
    default:
      return [path];
  }
}

describe('docs/from-the-operator.md', () => {
  it('has a row for every field that is read, and for no other', () => {
    const { spec } = miniClusterSchema.def.shape;
    const read = readFields(spec, '').map(asInTable);
    expect(read.filter((field) => !fields.includes(field))).toEqual([]);
    expect(fields.filter((field) => !read.includes(field))).toEqual([]);
  });

  it('has each field once', () => {
    expect(fields.filter((field, place) => fields.indexOf(field) < place)).toEqual([]);
  });

  describe.skipIf(!haveSharedFixtures)('and the definition of the MiniCluster', () => {
    const definition = haveSharedFixtures ? leaves(miniClusterSpecSchema()) : [];

    it('have the same fields, but for flux-pod’s own', () => {
      const defined = definition.map(([path]) => asInTable(path));
      expect(defined.filter((field) => !fields.includes(field))).toEqual([]);
      const volume = ['accessMode', 'size', 'storageClassName'].map(
        (field) => `spec.flux.stateVolume.${field}`,
      );
      const window = 'spec.autoscaling.stabilizationWindowSeconds';
      const own = [window, 'spec.idleTimeout', 'spec.suspend', 'spec.ttlSecondsAfterFinished', ...volume];
      expect(fields.filter((field) => !defined.includes(field))).toEqual(own);
    });

    const cases = definition.flatMap(([path, schema]) => {
      const row = rows.find(({ field }) => field === asInTable(path));
      const isOfContainer = path.startsWith('.containers[]') && !path.includes('securityContext');
      return (isOfContainer ? [0, 1] : [0]).map((at) => ({
        path,
        schema,
        at,
        said: row?.outcomes[at] ?? '',
      }));
    });

    it.each(cases)('$path ($at) is $said', ({ path, schema, at, said }) => {
      const [word = ''] = said.split(/[^a-z]/, 1);
      expect(Object.keys(words)).toContain(word);
      const expected = inCompany[path]?.[at] ?? word;
      expect(words[expected]?.(effectOf(path, schema, at)), `${path} is ${expected}`).toBe(true);
    });
  });
});

const words: Readonly<Record<string, (effect: Effect) => boolean>> = {
  honoured: ({ changed, refusal }) => changed && refusal === undefined,
  warned: ({ warnings }) => warnings.length > 0,
  refused: ({ refusal }) => refusal !== undefined,
  'said already': ({ changed, refusal }) => !changed && refusal === undefined,
};

/** Fields whose row speaks of more than what they are in the company of the others that the test renders. */
const inCompany: Readonly<Record<string, readonly string[]>> = {
  '.containers[].commands.script': ['refused'],
  '.flux.minimalService': ['warned'],
  '.pod.securityContext.runAsNonRoot': ['said already'],
};

describe('the table of docs/from-the-operator.md of what happens when a pod fails', () => {
  const page = readFileSync('docs/from-the-operator.md', 'utf8');
  const [, section = ''] = page.split('### When a pod fails\n');
  const cases = section
    .split('\n## ')[0]
    ?.split('\n')
    .filter((line) => /^\| .*`/.test(line) && !line.startsWith('| what'))
    .flatMap((line) => {
      const [, , ends = '', without = '', counted = ''] = line.split(' | ').join('|').split('|');
      return codeIn(ends).flatMap((end) => [
        { end, spec: {}, said: without.trim() },
        { end, spec: { backoffLimit: 2 }, said: counted.trim() },
      ]);
    });
  const reactions: Readonly<Record<string, Reaction>> = {
    'the Job fails': 'the Job fails',
    'tried again': 'replaced',
    'tried again, not counted': 'replaced for free',
  };

  it('has every exit code of flux-pod', () => {
    const codes = cases?.map(({ end }) => end);
    for (const code of Object.values(ExitCode)) expect(codes).toContain(String(code));
  });

  it.each(cases ?? [])('$end with $spec: $said', ({ end, spec, said }) => {
    const failed = /^\d+$/.test(end)
      ? { exitCodes: { mc: Number(end) } }
      : { conditions: [end], exitCodes: { mc: 1 } };
    expect(Object.keys(reactions)).toContain(said);
    expect(reactionTo(jobOf(render(spec)).spec ?? {}, failed)).toBe(reactions[said]);
  });

  it('is right about the limits', () => {
    const lost = { exitCodes: { mc: 143 } };
    const reaction = (spec: GivenSpec, failures: number) =>
      reactionTo(jobOf(render(spec)).spec ?? {}, lost, failures);
    expect([reaction({}, 23), reaction({}, 24)]).toEqual(['replaced', 'the Job fails']);
    expect([reaction({ backoffLimit: 2 }, 1), reaction({ backoffLimit: 2 }, 2)]).toEqual([
      'replaced',
      'the Job fails',
    ]);
    // Once is enough.
    expect(reaction({ backoffLimit: 0 }, 0)).toBe('the Job fails');
  });
});
