import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeAgentPlace } from '../../support/agent/agent.ts';
import { realFlux } from '../../support/project/flux-pod.ts';

const place = makeAgentPlace();
afterAll(place.remove);
const { env } = place;
const whole = readFileSync(env.FLUX_POD_CURVE_CERT ?? '', 'utf8');

describe('bad input ends with its own code and a sentence', () => {
  it.each([
    ['no size', { FLUX_POD_SIZE: undefined }, 78, /FLUX_POD_SIZE: expected the number of pods/],
    ['size 0', { FLUX_POD_SIZE: '0' }, 78, /FLUX_POD_SIZE="0": expected a whole number from 1/],
    ['size four', { FLUX_POD_SIZE: 'four' }, 78, /FLUX_POD_SIZE="four": expected a whole number from 1/],
    [
      'index 9 of 4',
      { JOB_COMPLETION_INDEX: '9' },
      78,
      /JOB_COMPLETION_INDEX=9: expected an index below the 4 hosts/,
    ],
    [
      'an unknown mode',
      { FLUX_POD_MODE: 'stat' },
      78,
      /FLUX_POD_MODE="stat": expected one of start, submit, batch, interactive/,
    ],
    [
      'an unknown variable',
      { FLUX_POD_SIZES: '4' },
      78,
      /FLUX_POD_SIZES: no such setting; did you mean FLUX_POD_SIZE\?/,
    ],
    [
      'unreadable TOML',
      { FLUX_POD_CONFIG: place.file('broken.toml', 'size = = 4\n') },
      78,
      /broken\.toml: TOML: .* \(line 1, column \d+\)$/m,
    ],
    [
      'a configuration file that is not there',
      { FLUX_POD_CONFIG: '/nowhere.toml' },
      78,
      /FLUX_POD_CONFIG="\/nowhere\.toml": expected a file that can be read/,
    ],
    [
      'no flux',
      { FLUX_POD_FLUX: '/nowhere/flux' },
      72,
      /Cannot use FLUX_POD_FLUX="\/nowhere\/flux": no executable flux is there/,
    ],
    [
      'a flux that cannot be executed',
      { FLUX_POD_FLUX: place.file('garbage', '#!/nowhere/interpreter\n', 0o755) },
      72,
      /Cannot execute .*garbage: ENOENT/,
    ],
    [
      'a certificate cut in half',
      { FLUX_POD_CURVE_CERT: place.file('half.cert', whole.slice(0, whole.length / 2), 0o400) },
      77,
      /Cannot use the CURVE certificate .*half\.cert: it is damaged: /,
    ],
    [
      'a certificate of two halves',
      {
        FLUX_POD_CURVE_CERT: place.file(
          'mismatched.cert',
          whole.replace(/public-key = .*/, 'public-key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"'),
          0o400,
        ),
      },
      77,
      /its public key does not belong to its secret key/,
    ],
    ['no certificate', { FLUX_POD_CURVE_CERT: '/nowhere/curve.cert' }, 77, /there is no such file/],
    [
      'a certificate that everybody can read',
      { FLUX_POD_CURVE_CERT: place.file('open.cert', whole, 0o444) },
      77,
      /defaultMode: 0440.*every user can read or change it \(mode 0444\)/s,
    ],
    [
      'a directory that cannot be written',
      { FLUX_POD_DIR: '/proc/flux-pod' },
      78,
      /Cannot use the run-time directory \/proc\/flux-pod/,
    ],
    [
      'a user table that flux-pod owns',
      { FLUX_POD_BROKER_CONFIG: place.file('user.toml', '[tbon]\ntopo = "kary:2"\n') },
      78,
      /user\.toml": flux-pod itself writes tbon\.topo \(use FLUX_POD_TOPO\)/,
    ],
  ])('%s', async (_, broken, code, sentence) => {
    const result = await place.run(['run', '--', 'true'], broken);
    expect(result.stderr.replaceAll('\\"', '"')).toMatch(sentence);
    expect(result.code).toBe(code);
    expect(result.stdout).toBe('');
    const secret = /secret-key = "(.*)"/.exec(whole)?.[1] ?? 'none';
    expect(result.stderr).not.toContain(secret);
  });

  it.each([
    ['no verb that is known', ['frobnicate'], 64, /Cannot understand "flux-pod frobnicate"/],
    ['an unknown flag', ['run', '--sizzle', '4', '--', 'true'], 64, /Unknown option '--sizzle'/],
    ['a COMMAND without --', ['run', 'true'], 64, /"true" is a word too many[\s\S]*behind `--`/],
    ['no COMMAND', ['run'], 64, /Cannot start in mode start: there is no COMMAND/],
    [
      'a COMMAND in mode interactive',
      ['run', '--mode', 'interactive', '--', 'true'],
      64,
      /it takes no COMMAND/,
    ],
  ])('%s', async (_, args, code, sentence) => {
    const result = await place.run(args);
    expect(result.stderr).toMatch(sentence);
    expect(result.code).toBe(code);
  });

  it('all problems are listed at once', async () => {
    const { code, stderr } = await place.run(['config'], {
      FLUX_POD_SIZE: 'x',
      FLUX_POD_PORT: '0',
      FLUX_POD_MODE: 'y',
      FLUX_POD_X: '1',
    });
    expect(code).toBe(78);
    expect(stderr).toMatch(/4 problems/);
    for (const name of ['SIZE=', 'PORT=', 'MODE=', 'X:'])
      expect(stderr).toMatch(new RegExp(`FLUX_POD_${name}`));
  });

  it.each([
    [
      'the token of the API itself',
      'FLUX_POD_API_TOKENS',
      /^ {2}FLUX_POD_API_TOKENS: expected the absolute path of a directory, such as \S+, got something else \(not shown: it may be a secret\)$/m,
    ],
    [
      'the token, under a name that is none',
      'FLUX_POD_API_TOKEN',
      /FLUX_POD_API_TOKEN: no such setting; did you mean FLUX_POD_API_TOKENS\?/,
    ],
    [
      'the text of the certificate',
      'FLUX_POD_CURVE_CERT',
      /FLUX_POD_CURVE_CERT: expected the absolute path of a file.*not shown/,
    ],
    [
      'the key of the API',
      'FLUX_POD_API_TLS_KEY',
      /FLUX_POD_API_TLS_KEY: expected the absolute path of a file.*not shown/,
    ],
    [
      'the certificate of the API',
      'FLUX_POD_API_TLS_CERT',
      /FLUX_POD_API_TLS_CERT: expected the absolute path of a file.*not shown/,
    ],
  ])('%s where a path belongs is not shown, by no verb', async (_, name, sentence) => {
    const secret = 's3cr3t-0123456789abcdef';
    for (const verb of [['run', '--', 'true'], ['config'], ['doctor']]) {
      const { stdout, stderr } = await place.run(verb, { [name]: secret });
      expect(stdout + stderr).toMatch(sentence);
      expect(stdout + stderr).not.toContain(secret);
    }
  });

  it.each(['FLUX_POD_CONFIG', 'FLUX_POD_BROKER_CONFIG'])(
    'a file of %s that is no TOML is named with the place, and none of its lines is shown',
    async (name) => {
      const file = place.file('secrets.toml', 'a = "s3cr3t-1"\ns3cr3t-2 = = "s3cr3t-3"\nb = "s3cr3t-4"\n');
      const { code, stderr } = await place.run(['run', '--', 'true'], { [name]: file });
      expect(code).toBe(78);
      expect(stderr).toMatch(/secrets\.toml.* \(line 2, column \d+\)/);
      expect(stderr).not.toContain('s3cr3t');
    },
  );

  it('a hook that fails stops the start and is named', async () => {
    mkdirSync(join(place.directory, 'hooks'), { recursive: true });
    const hook = place.file('hooks/leader-pre.sh', '#!/bin/sh\necho preparing; exit 3\n', 0o755);
    const result = await place.run(['run', '--', 'echo', 'started']);
    expect(result).toMatchObject({ code: 75, stdout: '' });
    expect(result.stderr).toContain(`The leader-pre hook ${hook} failed: it exited with code 3`);
    expect(result.stderr).toContain('preparing');
  });
});

const flux = realFlux();
if (!flux)
  console.warn(
    'SKIPPED: what a real broker says of bad input. There is no flux on PATH or in /opt/flux/bin.',
  );

describe.skipIf(!flux)('bad input that only the broker meets, with real Flux', () => {
  const real = { FLUX_POD_FLUX: flux?.path, FLUX_POD_SIZE: '1', FLUX_POD_HOOKS: '/nowhere' };
  /** What Flux loads for jobs takes two seconds. */
  const withoutJobs = { FLUX_POD_BROKER_OPTIONS: '-Sbroker.rc1_path= -Sbroker.rc3_path=' };

  it.each([
    [
      'a program that exists nowhere',
      ['/nowhere/program', 'x'],
      127,
      /The program exited with code 127: a command was not found/,
    ],
    [
      'a lone word that is no program',
      ['no-such-program'],
      127,
      /The program exited with code 127: a command was not found/,
    ],
    [
      'a task that is no program, where COMMAND is one',
      [flux?.path ?? '', 'run', 'no-such-program'],
      127,
      /no-such-program[\s\S]*The program exited with code 127: a command was not found, COMMAND itself or one that it ran/,
    ],
    [
      'a program that is not executable',
      [place.file('plain', 'text'), 'x'],
      126,
      /The program exited with code 126: a command is not executable/,
    ],
    ['a program that ends with 1', ['false'], 1, /The program exited with code 1/],
    [
      'a program that is killed',
      ['sh', '-c', 'kill -9 $$'],
      137,
      /The program exited with code 137: signal 9 ended it/,
    ],
  ])('%s', async (_, command, code, sentence) => {
    const jobs = command[0] === flux?.path;
    const result = await place.run(['run', '--', ...command], { ...real, ...(jobs ? {} : withoutJobs) });
    expect(result.stderr).toMatch(sentence);
    expect(result.code).toBe(code);
  });

  it.each([
    [
      'an rc1 that fails at once',
      '-Sbroker.rc1_path=/bin/false',
      /The broker could not start: rc1 exited with code 1/,
    ],
    [
      'an rc1 that says why',
      `-Sbroker.rc1_path=${place.file('rc1', "#!/bin/sh\necho 'No module named cffi' >&2; exit 3\n", 0o755)}`,
      /The broker could not start: rc1 exited with code 3: No module named cffi"/,
    ],
    [
      'an option that the broker refuses',
      '-Sbroker.no-such-attribute=1',
      /The broker could not start: it exited with code 1 before it opened its socket"/,
    ],
  ])(
    '%s: the broker could not start, with a code that no program has chosen',
    async (_, option, sentence) => {
      const result = await place.run(['run', '--', 'echo', 'started'], {
        ...real,
        FLUX_POD_BROKER_OPTIONS: option,
      });
      expect(result.stderr).toMatch(sentence);
      expect(result).toMatchObject({ code: 71, stdout: '' });
      expect(result.stderr).not.toContain('The program has ended');
    },
  );

  it('a port in use', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.2', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const result = await place.run(['run', '--', 'true'], {
      ...real,
      FLUX_POD_SIZE: '2',
      FLUX_POD_PORT: port,
    });
    server.close();
    expect(result.stderr).toContain(
      `Cannot use FLUX_POD_PORT=${port} on 127.0.0.2: something else listens there`,
    );
    expect(result.code).toBe(78);
  });
});
