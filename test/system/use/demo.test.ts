import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { describe, expect, it, onTestFinished } from 'vitest';
import { everyFlux, standInFlux, withoutCleanup } from '../../support/project/flux-pod.ts';

/** That of a checkout: an installation has no demo. */
const program = 'dist/flux-pod';
const demo = (flux: string, ...args: string[]) => {
  const running = execa(program, ['demo', ...args], {
    env: { ...withoutCleanup, FLUX_POD_FLUX: flux },
    reject: false,
    stdin: 'ignore',
  });
  onTestFinished(() => void running.kill('SIGTERM'));
  return running;
};

describe('flux-pod demo', () => {
  // What follows is the demo's own: which Flux it runs does not matter.
  const flux = standInFlux;

  it.each(everyFlux())(
    'shows the pods come up, a word from every node, and a clean end, with $name',
    async (flux) => {
      const { stdout, stderr, exitCode } = await demo(flux.onHost);
      expect(exitCode, stdout + stderr).toBe(0);
      const [first, ...lines] = stdout.split('\n');
      expect(first).toBe(`Flux: ${flux.onHost}`);
      for (const pod of ['demo-0', 'demo-1', 'demo-2', 'demo-3']) {
        expect(stdout).toMatch(new RegExp(`${pod} +broker +run`));
        expect(stdout).toMatch(new RegExp(`^hello from ${pod}, task \\d of 4$`, 'm'));
      }
      expect(stdout).toMatch(/free +4 +4 +0 demo-\[0-3\]/);
      expect(lines.at(-1)).toMatch(
        /^4 pods came up, ran the program and ended in [\d.]+ s: exit codes 0 0 0 0$/,
      );
    },
  );

  it('serves the web page with sample jobs until Ctrl-C, which exits with 130', async () => {
    const running = execa(program, ['demo', '--size', '2', '--web'], {
      env: { FLUX_POD_FLUX: flux.onHost },
      reject: false,
      stdin: 'ignore',
      // As on a terminal: Ctrl-C reaches every process of the group.
      detached: true,
    });
    onTestFinished(() => void running.kill('SIGTERM'));
    const lines: string[] = [];
    let url = '';
    for await (const line of createInterface({ input: running.stdout })) {
      lines.push(line);
      url = /^The web page is at (\S+) /.exec(line)?.[1] ?? '';
      if (url) break;
    }
    expect(url, lines.join('\n')).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    expect(await (await fetch(url)).text()).toContain('<title>');
    const { jobs } = (await (await fetch(new URL('v1/jobs', url))).json()) as { jobs: { name: string }[] };
    expect(jobs.map(({ name }) => name).toSorted()).toEqual(['counts', 'fails', 'held', 'hello']);
    process.kill(-(running.pid ?? 0), 'SIGINT');
    const { exitCode, stdout } = await running;
    expect(exitCode, stdout).toBe(130);
    expect(stdout).toMatch(/^2 pods were up for [\d.]+ s: exit codes 143 143$/m);
  });

  it('serves the web page beside a program, and exits with its code', async () => {
    const { stdout, exitCode } = await demo(flux.onHost, '--size', '1', '--web', '--', 'sh', '-c', 'exit 3');
    expect(exitCode, stdout).toBe(3);
  });

  it("ends with the program's code", async () => {
    const { stdout, exitCode } = await demo(flux.onHost, '--size', '1', '--', 'sh', '-c', 'exit 3');
    expect(exitCode, stdout).toBe(3);
  });

  it('says in its first line when there is no Flux', async () => {
    // chroot would hide a Flux that is installed; PATH cannot hide /opt/flux.
    const { stdout } = await execa(program, ['demo', '--size', '1', '--', 'true'], {
      env: { ...withoutCleanup, PATH: '/usr/bin:/bin' },
      reject: false,
    });
    expect(stdout.split('\n')[0]).toMatch(
      /^Flux: (\/\S+|none on this machine\. The embedded stand-in plays its part: .*)$/,
    );
  });

  it.each(['0', 'four', '1001'])('refuses a size of %s', async (size) => {
    const { exitCode, stderr } = await demo('/bin/true', '--size', size);
    expect(exitCode).toBe(64);
    expect(stderr).toContain(`Cannot run a demo with --size ${size}: expected a whole number from 1 to 1000`);
  });
});
