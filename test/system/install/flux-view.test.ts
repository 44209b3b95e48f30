import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readMiniCluster } from '../../../controller/render/minicluster/read-minicluster.ts';
import { renderMiniCluster } from '../../../controller/render/render-minicluster.ts';
import { type Bed, bedUnavailable, createBed } from '../../support/bed/bed.ts';
import type { Pod } from '../../support/bed/pod.ts';
import { systemPackages, writeViewImage } from '../../support/flux/flux-view.ts';
import {
  type GivenSpec,
  manifest,
  miniCluster,
  podOf,
  usualOptions,
} from '../../support/manifests/miniclusters.ts';
import { installFluxPod, logsOf, realFlux, withoutCleanup } from '../../support/project/flux-pod.ts';

const flux = realFlux();
const unavailable = bedUnavailable() ?? (flux ? undefined : 'there is no real flux on PATH or in /opt/flux');
if (unavailable) console.warn(`SKIPPED: pods with a Flux view. ${unavailable}`);

describe.skipIf(unavailable)(
  'a MiniCluster whose Flux comes from a view, in an image without Flux’s Python packages',
  { concurrent: true },
  () => {
    let bed: Bed;
    let place: string;
    let volumes: Record<string, string>;
    beforeAll(async () => {
      bed = await createBed();
      place = mkdtempSync(join(tmpdir(), 'flux-pod-view-'));
      const image = writeViewImage(place, dirname(dirname(flux?.path ?? '')));
      mkdirSync(join(place, 'nothing'));
      volumes = {
        '/opt/software': image.software,
        '/opt/views': image.views,
        // An interpreter that Spack has built has none of them in its own prefix.
        [systemPackages]: join(place, 'nothing'),
      };
    });
    afterAll(async () => {
      await bed?.close();
      rmSync(place, { recursive: true, force: true });
    });

    /** Starts the only pod of a rendered MiniCluster: the init container's script, then that of the container in its environment. */
    function startPod(spec: GivenSpec, container: GivenSpec, more: Record<string, string> = {}): Pod {
      const options = { ...usualOptions, installer: undefined };
      const given = miniCluster({ size: 1, ...spec }, { launcher: true, ...container });
      const rendered = renderMiniCluster(readMiniCluster(given), options);
      const texts = manifest(rendered, 'ConfigMap').data ?? {};
      const [runner] = podOf(rendered).containers;
      const command = (runner?.command ?? []).map((word) => word.replaceAll('$$', '$'));
      const env = Object.fromEntries((runner?.env ?? []).map(({ name, value = '' }) => [name, value]));
      return bed.startPod({
        cluster: 'mc',
        index: 0,
        command: [
          'sh',
          '-c',
          'ln -s /opt/views/view /opt/view && bash /etc/flux-pod/scripts/view.sh && exec "$@"',
          'sh',
          ...command,
        ],
        // An image with a view has no Flux in /opt/flux, where the prefix of this one's flux-core is.
        env: {
          PATH: `${installFluxPod()}:/usr/bin:/bin`,
          FLUX_POD_FLUX: '/mnt/flux/view',
          ...env,
          HOME: '/tmp',
          ...withoutCleanup,
          ...more,
        },
        mounts: Object.fromEntries(
          Object.entries(texts).map(([name, content]) => [`/etc/flux-pod/scripts/${name}`, { content }]),
        ),
        volumes,
      });
    }

    const asks = 'flux module list | grep -o sched-fluxion; flux run hostname';
    const ended = async (pod: Pod) => {
      const { code } = await pod.exited;
      return { code, stdout: pod.stdout, log: logsOf([pod]) };
    };

    it.each<[string, GivenSpec, GivenSpec]>([
      [
        'nothing else',
        {},
        {
          command: `sh -c 'flux resource list -no {nnodes} | sed s/^/nodes/; flux jobs -a >/dev/null && ${asks}'`,
        },
      ],
      [
        'commands of all kinds, logs, an archive and a pythonPath',
        {
          archive: { path: '/tmp/archive.tgz' },
          flux: { container: { pythonPath: '/nowhere' } },
        },
        { logs: '/tmp/out', commands: { init: 'true', pre: 'true', brokerPre: 'true', workerPre: 'true' } },
      ],
      ['commands.pre that sources flux-view.sh', {}, { commands: { pre: '. /mnt/flux/flux-view.sh' } }],
      ['commands.script', {}, { command: undefined, commands: { script: `#!/bin/bash\n${asks}\n` } }],
      ['batch and batchRaw', {}, { launcher: false, batch: true, batchRaw: true, command: asks }],
      [
        'another mountPath',
        { flux: { container: { mountPath: '/mnt/other' } } },
        { commands: { pre: 'true' } },
      ],
    ])(
      'with %s the instance starts with the scheduler of the view, and its commands work',
      async (what, spec, container) => {
        const { code, stdout, log } = await ended(
          startPod(spec, { command: `sh -c '${asks}'`, ...container }),
        );
        expect(code, log).toBe(0);
        if (what === 'nothing else') expect(stdout).toMatch(/^nodes1$/m);
        expect(stdout).toMatch(/^sched-fluxion$/m);
        expect(stdout).toMatch(/^mc-0$/m);
        expect(log).toContain('the rc script of the view ran on 0');
      },
    );

    it.each([
      ['on PATH already', ':/mnt/flux/view/bin'],
      ['not on PATH', ''],
    ])('with its programs %s', async (_, more) => {
      const { code, log } = await ended(
        startPod({}, { command: 'flux jobs -a' }, { PATH: `${installFluxPod()}:/usr/bin:/bin${more}` }),
      );
      expect(code, log).toBe(0);
    });

    it('scheduler.simple keeps the scheduler of Flux itself', async () => {
      const { code, stdout, log } = await ended(
        startPod(
          { flux: { scheduler: { simple: true } } },
          { command: `sh -c 'flux module list'`, commands: { pre: 'true' } },
        ),
      );
      expect(code, log).toBe(0);
      expect(stdout).toContain('sched-simple');
      expect(log).not.toContain('fluxion');
    });

    it('flux-pod shell, env and flux-view.sh find what the broker finds', async () => {
      const pod = startPod({}, { command: `sh -c 'echo up; sleep 1000'` });
      await pod.waitForOutput(/^up$/m);
      const fluxPod = join(installFluxPod(), 'flux-pod');
      const clean = ['env', '-i', 'PATH=/usr/bin:/bin', 'FLUX_POD_DIR=/run/flux-pod'];
      for (const command of [
        [fluxPod, 'shell', '--', 'flux', 'jobs', '-a'],
        ['sh', '-c', `eval "$(${fluxPod} env)"; flux jobs -a`],
        ['bash', '-c', '. /mnt/flux/flux-view.sh; flux proxy $fluxsocket flux jobs -a'],
      ]) {
        const { code, stdout, stderr } = await pod.exec([...clean, ...command]);
        expect({ command, code, stderr }).toMatchObject({ code: 0 });
        expect(stdout).toContain('JOBID');
      }
      await pod.signal('SIGTERM');
      await pod.exited;
    });

    it('a wrapped container beside Flux asks the broker for its jobs', async () => {
      const containers = [
        { image: 'a', command: `sh -c 'echo up; sleep 1000'`, launcher: true, runFlux: true },
        {
          image: 'b',
          name: 'beside',
          command: 'flux proxy $fluxsocket flux jobs -a; echo ended $?; kill $$',
        },
      ];
      const pod = startPod({ containers }, {});
      await pod.waitForOutput(/^up$/m);
      const beside = await pod.exec([
        'env',
        '-i',
        'PATH=/usr/bin:/bin',
        'bash',
        '/etc/flux-pod/scripts/sidecar-beside.sh',
      ]);
      expect(beside.stdout, beside.stderr).toContain('JOBID');
      expect(beside.stdout).toContain('ended 0');
      await pod.signal('SIGTERM');
      await pod.exited;
    });
  },
);
