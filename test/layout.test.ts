/** The map of docs/CONTRIBUTING.md, held against the imports of all files. */
import { basename, dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reachedFrom, readImports } from './support/imports.ts';

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
    ['agent/jobs', ['agent', 'agent/cluster', 'agent/flux']],
  ])('of the files of %s reach no other folder than %j', (room, others) => {
    // Of the agent itself: what lies in no folder of it.
    const of = (file: string) => dirname(file).split('/').slice(0, 2).join('/');
    const reached = reachedFrom(
      imports,
      [...imports.keys()].filter((file) => of(file) === room),
    );
    expect([...new Set(reached.map(of))].sort()).toEqual([room, ...others].sort());
  });

  it.each(['agent/jobs', 'entrypoint/jobs-client.ts', 'entrypoint/commands/submit.ts'])(
    'of %s reach nothing of the API and its HTTP',
    (start) => {
      const starts = [...imports.keys()].filter((file) => file.startsWith(start));
      expect(starts).not.toEqual([]);
      expect(reachedFrom(imports, starts).filter((file) => /^agent\/(api|http)\//.test(file))).toEqual([]);
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
  it('has nothing of the demo and of the stand-in for Flux', () => {
    const demo = (file: string) => file.startsWith('entrypoint/demo/');
    expect(reachedFrom(imports, ['entrypoint/main.ts']).filter(demo)).toEqual([]);
    expect(reachedFrom(imports, ['entrypoint/demo/main.ts']).filter(demo).sort()).toEqual(
      filesOf('entrypoint/demo').sort(),
    );
  });
});

describe('a folder', () => {
  /** Those that are still wider. Nothing is to be added here. */
  const wide = [
    ...['agent/api', 'agent/api/page', 'agent/broker', 'agent/dns', 'agent/flux/services', 'agent/lifecycle'],
    ...['entrypoint', 'entrypoint/commands'],
  ];

  it('has at most 14 files side by side', () => {
    const widths = Map.groupBy(imports.keys(), dirname);
    expect(
      [...widths]
        .filter(([, files]) => files.length > 14)
        .map(([folder]) => folder)
        .sort(),
    ).toEqual(wide);
  });

  it('of the controller has no file whose name means something else elsewhere', () => {
    const elsewhere = new Set(
      [...imports.keys()].filter((file) => !file.startsWith('controller/')).map((file) => basename(file)),
    );
    const names = filesOf('controller').map((file) => basename(file));
    expect(names.filter((name, index) => elsewhere.has(name) || names.indexOf(name) !== index)).toEqual([]);
  });
});
