/** The map of docs/CONTRIBUTING.md, held against the imports of all files. */
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { PodStateWriter } from '../agent/health/pod-state.ts';
import { reachedFrom, readImports } from './support/project/imports.ts';

const imports = readImports(['agent', 'controller', 'entrypoint']);
const filesOf = (room: string) => [...imports.keys()].filter((file) => file.startsWith(`${room}/`));
const rooms = ['entrypoint', 'controller', 'agent'];

describe('imports', () => {
  it('are found where they are', () => {
    expect(imports.size).toBeGreaterThan(200);
    for (const [file, { files }] of imports)
      for (const imported of files.filter((name) => /\.tsx?$/.test(name)))
        expect([...imports.keys()], file).toContain(imported);
  });

  it('lead from no file back to it', () => {
    const circular = [...imports].filter(([file, { files }]) => reachedFrom(imports, files).includes(file));
    // Those that are still circular. Nothing is to be added here.
    expect(circular.map(([file]) => file).filter((file) => !file.startsWith('agent/api/'))).toEqual([]);
  });

  it.each(rooms.map((room, rank) => [room, rooms.slice(0, rank)] as const).slice(1))(
    'of %s never lead up to %s',
    (room, above) => {
      const upward = reachedFrom(imports, filesOf(room)).filter((file) =>
        above.some((other) => file.startsWith(`${other}/`)),
      );
      expect(upward).toEqual([]);
    },
  );

  it.each([
    ['agent', []],
    ['agent/cluster', []],
    ['agent/flux', ['agent/cluster']],
    ['agent/dns', ['agent']],
    ['agent/http', ['agent']],
    ['agent/link', ['agent', 'agent/http']],
    ['agent/demand', ['agent', 'agent/cluster', 'agent/flux']],
    ['agent/jobs', ['agent', 'agent/cluster', 'agent/demand', 'agent/flux']],
  ])('of the files of %s reach no other folder than %j', (room, others) => {
    // Of the agent itself: what lies in no folder of it.
    const of = (file: string) => dirname(file).split('/').slice(0, 2).join('/');
    const reached = reachedFrom(
      imports,
      [...imports.keys()].filter((file) => of(file) === room),
    );
    expect([...new Set(reached.map(of))].sort()).toEqual([room, ...others].sort());
  });

  it.each(['agent/jobs', 'entrypoint/jobs', 'entrypoint/verbs/jobs'])(
    'of %s reach nothing of the API and its HTTP',
    (start) => {
      const starts = [...imports.keys()].filter((file) => file.startsWith(start));
      expect(starts).not.toEqual([]);
      expect(reachedFrom(imports, starts).filter((file) => /^agent\/(api|http)\//.test(file))).toEqual([]);
    },
  );

  it.each([
    ['auth', ['http', 'routes', 'page']],
    ['http', ['routes', 'page']],
    ['routes', ['page']],
  ])(
    'of agent/api/%s never lead to %j: a request goes from the routes down to http and auth',
    (room, above) => {
      const direct = filesOf(`agent/api/${room}`).flatMap((file) => imports.get(file)?.files ?? []);
      expect(direct.filter((file) => above.some((other) => file.startsWith(`agent/api/${other}/`)))).toEqual(
        [],
      );
    },
  );

  it('of what renders a MiniCluster reach no file, no process and no network', () => {
    const reached = reachedFrom(imports, filesOf('controller/render'));
    const modules = new Set(reached.flatMap((file) => imports.get(file)?.modules ?? []));
    // Of node:os the numbers of signals, of node:crypto curve25519.
    const pure = ['node:crypto', 'node:os', 'node:util', 'smol-toml', 'yaml', 'zod/mini'];
    expect([...modules].filter((name) => !name.startsWith('kubernetes-types/')).sort()).toEqual(pure);
  });

  it('of controller/render lead from the objects over the pod to the MiniCluster, and nowhere back', () => {
    const below = (room: string) =>
      new Set(
        filesOf(room)
          .flatMap((file) => imports.get(file)?.files ?? [])
          .filter((file) => file.startsWith('controller/'))
          .map(dirname),
      );
    const [minicluster, pod, reserved] = ['minicluster', 'pod', 'reserved'].map(
      (name) => `controller/render/${name}`,
    ) as [string, string, string];
    expect(below(reserved)).toEqual(new Set());
    expect(below(minicluster)).toEqual(new Set([minicluster, reserved]));
    expect(below(pod)).toEqual(new Set([pod, minicluster, reserved]));
  });
});

describe('flux-pod.cjs', () => {
  it('has nothing that renders', () => {
    const renders = (file: string) => file.startsWith('entrypoint/render/');
    expect(reachedFrom(imports, ['entrypoint/main.ts']).filter(renders)).toEqual([]);
    expect(reachedFrom(imports, filesOf('entrypoint/render'))).toContain(
      'controller/render/render-minicluster.ts',
    );
  });

  it('has nothing of the demo and of the stand-in for Flux', () => {
    const demo = (file: string) => file.startsWith('entrypoint/demo/');
    expect(reachedFrom(imports, ['entrypoint/main.ts']).filter(demo)).toEqual([]);
    expect(reachedFrom(imports, ['entrypoint/demo/main.ts']).filter(demo).sort()).toEqual(
      filesOf('entrypoint/demo').sort(),
    );
  });
});

describe('a folder', () => {
  it('has at most 14 files side by side', () => {
    const tests = readImports(['test']);
    expect(tests.size).toBeGreaterThan(200);
    const widths = Map.groupBy([...imports.keys(), ...tests.keys()], dirname);
    expect(
      [...widths]
        .filter(([, files]) => files.length > 14)
        .map(([folder]) => folder)
        .sort(),
    ).toEqual([]);
  });

  it('of the controller has no file whose name means something else elsewhere', () => {
    const elsewhere = new Set(
      [...imports.keys()].filter((file) => !file.startsWith('controller/')).map((file) => basename(file)),
    );
    const names = filesOf('controller').map((file) => basename(file));
    expect(names.filter((name, index) => elsewhere.has(name) || names.indexOf(name) !== index)).toEqual([]);
  });

  it('of the agent and the program has no file whose name means something else elsewhere', () => {
    // Named after what they are for: Flux's services, their counterparts in the stand-in for Flux, and verbs, whose names other files have
    // that do what the verb says.
    const namedAfter = /^(agent\/flux\/services|entrypoint\/demo|entrypoint\/verbs)\//;
    const twice: Readonly<Record<string, string>> = {
      'errors.ts': 'of flux-pod (exit codes), and of Flux (errno)',
    };
    const names = [...imports.keys()]
      .filter((file) => /^(agent|entrypoint)\//.test(file) && !namedAfter.test(file))
      .map((file) => basename(file));
    const repeated = names.filter((name, index) => names.indexOf(name) !== index);
    expect(repeated.filter((name) => !(name in twice))).toEqual([]);
  });
});

describe('the state of the pod', () => {
  const source = (file: string) => readFileSync(file, 'utf8');

  it('is read by probes, status and metrics alone: the rest of the program has only what writes it', () => {
    const outside = [...imports.keys()].filter((file) => !file.startsWith('agent/health/'));
    const found = outside.flatMap((file) =>
      [...source(file).matchAll(/^import (type )?\{([^}]*)\} from '[^']*health\/pod-state\.ts';/gm)].map(
        ([, type, names = '']) => `${type ?? ''}${names.trim()}`,
      ),
    );
    expect([...new Set(found)]).toEqual(['type PodStateWriter']);
    expect(
      outside.filter((file) => /health\/(probes|status|metrics|responses)\.ts/.test(source(file))),
    ).toEqual([
      'entrypoint/running-pod/status-table.ts',
      'entrypoint/verbs/pod/probe.ts',
      'entrypoint/verbs/pod/status.ts',
    ]);
  });

  it('shows nothing to what writes it', () => {
    expectTypeOf<keyof PodStateWriter>().toEqualTypeOf<'set' | 'warn'>();
    expectTypeOf<ReturnType<PodStateWriter['set'] | PodStateWriter['warn']>>().toEqualTypeOf<void>();
  });

  it('of the broker is known to the lifecycle only where the connection to the broker writes it', () => {
    const readers = [...imports].filter(([, { files }]) => files.includes('agent/health/broker-status.ts'));
    expect(readers.map(([file]) => file).filter((file) => !file.startsWith('agent/health/'))).toEqual([
      'agent/lifecycle/broker/connection.ts',
      'agent/lifecycle/broker/watch-broker.ts',
    ]);
  });
});

describe('a file of the lifecycle', () => {
  it('is imported by a unit test, or a part of the machines, which unit tests run', () => {
    const tests = readImports(['test']);
    const imported = new Set(
      [...tests]
        .filter(([file]) => /^test\/(?!system).*\.test\.ts$/.test(file))
        .flatMap(([, { files }]) => files),
    );
    const machines = reachedFrom(imports, [
      'agent/lifecycle/leader.ts',
      'agent/lifecycle/follower/follower.ts',
    ]);
    expect(
      filesOf('agent/lifecycle').filter((file) => !imported.has(file) && !machines.includes(file)),
    ).toEqual([]);
  });
});
