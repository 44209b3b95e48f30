import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { environmentFor, findFlux } from '../../agent/broker/find-flux.ts';

const root = mkdtempSync(join(tmpdir(), 'find-flux-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function file(path: string, mode = 0o755): string {
  const whole = join(root, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, '#!/bin/sh\n');
  chmodSync(whole, mode);
  return whole;
}

const first = file('first/bin/flux');
const second = file('second/bin/flux');
const flat = file('flat/flux');
const notExecutable = file('not-executable/bin/flux', 0o644);
mkdirSync(join(root, 'directory/bin/flux'), { recursive: true });
mkdirSync(join(root, 'empty'));
mkdirSync(join(root, 'links'));
symlinkSync(second, join(root, 'links/flux'));
symlinkSync(join(root, 'gone'), join(root, 'empty/flux'));

const bin = (name: string) => join(root, name, 'bin');

describe('findFlux', () => {
  it.each([
    ['the first on PATH', [bin('first'), bin('second')], first],
    ['the first on PATH, whichever that is', [bin('second'), bin('first')], second],
    ['one beyond a file that is not executable', [bin('not-executable'), bin('first')], first],
    ['one beyond a directory of that name', [bin('directory'), bin('first')], first],
    ['one beyond a link that leads nowhere', [join(root, 'empty'), bin('first')], first],
    ['one beyond directories that are not there', [join(root, 'nowhere'), '', bin('first')], first],
    ['one by its link', [join(root, 'links')], join(root, 'links/flux')],
  ])('finds %s', (_, path, found) => {
    expect(findFlux(undefined, path.join(':'), [])).toBe(found);
  });

  it('looks into the usual places after PATH, in their order', () => {
    const usual = [bin('directory'), bin('second'), bin('first')];
    expect(findFlux(undefined, '', usual)).toBe(second);
    expect(findFlux(undefined, bin('first'), usual)).toBe(first);
  });

  it('never searches the working directory, whatever is on PATH', () => {
    const path = ['', '.', 'bin', '..'].join(':');
    expect(() => findFlux(undefined, path, [])).toThrow('Cannot find flux');
  });

  it.each([
    ['the executable', first, first],
    ['its prefix', join(root, 'first'), first],
    ['its bin directory', bin('first'), first],
    ['a directory that just holds it', join(root, 'flat'), flat],
    ['a link to it', join(root, 'links/flux'), join(root, 'links/flux')],
  ])('takes FLUX_POD_FLUX for %s', (_, configured, found) => {
    expect(findFlux(configured, bin('second'), [bin('second')])).toBe(found);
  });

  it.each([
    ['is not there', join(root, 'nowhere')],
    ['is not executable', notExecutable],
    ['holds no flux', join(root, 'links-not')],
    ['holds a directory of that name', join(root, 'directory')],
    ['holds one that is not executable', join(root, 'not-executable')],
  ])('refuses a FLUX_POD_FLUX that %s rather than take another', (_, configured) => {
    expect(() => findFlux(configured, bin('first'), [bin('second')])).toThrow(
      expect.objectContaining({
        exitCode: 72,
        message: `Cannot use FLUX_POD_FLUX="${configured}": no executable flux is there`,
      }),
    );
  });

  it('names the searched directories when there is none', () => {
    expect(() => findFlux(undefined, `${bin('directory')}:/nowhere`, ['/opt/nowhere/bin'])).toThrow(
      expect.objectContaining({
        exitCode: 72,
        message: `Cannot find flux: it is neither on PATH (${bin('directory')}:/nowhere) nor in /opt/nowhere/bin`,
        hint: expect.stringContaining('FLUX_POD_FLUX'),
      }),
    );
  });
});

describe('environmentFor', () => {
  it.each([
    [
      'is added at the end of PATH, so that the programs of the image win',
      '/usr/bin:/bin',
      `/usr/bin:/bin:${bin('first')}`,
    ],
    ['is not added twice', `${bin('first')}:/bin`, `${bin('first')}:/bin`],
    ['is all of an empty PATH', '', bin('first')],
    ['does not bring the working directory along', ':/bin:', `/bin:${bin('first')}`],
  ])("flux's directory %s", (_, path, expected) => {
    expect(environmentFor(first, { PATH: path, HOME: '/root' })).toEqual({ PATH: expected, HOME: '/root' });
  });

  describe('of a view, whose files are links to the prefixes of its packages', () => {
    const view = join(root, 'view');
    mkdirSync(join(view, 'bin'), { recursive: true });
    symlinkSync(first, join(view, 'bin/flux'));
    const made = ['lib/python3.11/site-packages', 'etc/flux', 'lib/flux/modules', 'lib64/flux/modules'].map(
      (path) => {
        mkdirSync(join(view, path), { recursive: true });
        return join(view, path);
      },
    );
    mkdirSync(join(view, 'lib/python3-config'));
    const [packages, configuration, ...modules] = made;
    const flux = join(view, 'bin/flux');

    it.each([
      ['not on PATH', '/bin', `/bin:${view}/bin`],
      ['on PATH already', `/bin:${view}/bin`, `/bin:${view}/bin`],
    ])('finds all that the view has, with its programs %s', (_, before, after) => {
      expect(
        environmentFor(flux, { PATH: before, PYTHONPATH: '/mine', FLUX_EXEC_PATH: '/flux-pod' }),
      ).toEqual({
        PATH: after,
        PYTHONPATH: `/mine:${packages}`,
        FLUX_EXEC_PATH: '/flux-pod',
        FLUX_MODULE_PATH: modules.join(':'),
        FLUX_RC_EXTRA: configuration,
      });
    });

    it('is the same when it is made again', () => {
      const once = environmentFor(flux, { PATH: '/bin' });
      expect(environmentFor(flux, once)).toEqual(once);
    });

    it('leaves out what is set to nothing', () => {
      expect(environmentFor(flux, { PATH: '/bin', FLUX_RC_EXTRA: '' })).toMatchObject({ FLUX_RC_EXTRA: '' });
    });
  });

  it('of a Flux in a prefix of its own brings Python’s packages, unless the interpreter is there as well', () => {
    const flux = file('own/bin/flux');
    const packages = join(root, 'own/lib/python3.11/site-packages');
    for (const path of [packages, join(root, 'own/etc/flux')]) mkdirSync(path, { recursive: true });
    expect(environmentFor(flux, { PATH: dirname(flux) })).toEqual({
      PATH: dirname(flux),
      PYTHONPATH: packages,
    });
    file('own/bin/python3');
    expect(environmentFor(flux, { PATH: dirname(flux) })).toEqual({ PATH: dirname(flux) });
  });

  it.each(['/usr/bin/flux', '/usr/local/bin/flux'])('%s needs no PYTHONPATH', (flux) => {
    expect(environmentFor(flux, { PATH: '/sbin' })).toEqual({ PATH: `/sbin:${dirname(flux)}` });
  });

  it('leaves the environment that it was given as it was', () => {
    const environment = Object.freeze({ PATH: '/bin' });
    environmentFor(first, environment);
    expect(environment).toEqual({ PATH: '/bin' });
  });
});
