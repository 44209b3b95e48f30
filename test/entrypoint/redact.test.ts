import { describe, expect, it } from 'vitest';
import { environmentText, redact } from '../../entrypoint/doctor/redact.ts';
import { cpuTime } from '../support/virtual/cpu-time.ts';

const secret = 's3cr3t/0123456789+abcdef';

describe('the environment in a bundle', () => {
  it.each([
    ...['DB_PASS', 'MYSQL_PWD', 'PGPASSWORD', 'SSHPASS', 'RESTIC_PASSPHRASE', 'WANDB_KEY', 'ENCRYPTION_KEY'],
    ...['GITHUB_PAT', 'AZURE_STORAGE_KEY', 'AZURE_CONNECTION_STRING', 'SENTRY_DSN', 'SLACK_WEBHOOK'],
    ...['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'DATABASE_URL', 'REDIS_URL'],
    ...['FLUX_POD_API_TOKENS', 'FLUX_POD_API_TOKEN', 'FLUX_POD_API_TOKEN_FILE', 'FLUX_POD_CURVE_CERT'],
    ...['FLUX_POD_API_TLS_KEY', 'FLUX_TOKEN', 'KUBERNETES_TOKEN', 'LC_PASSWORD', 'SOMETHING_ELSE', 'PATHS'],
  ])('names %s and does not show its value', (name) => {
    expect(environmentText({ [name]: secret })).toBe(`${name} (value not shown)\n`);
  });

  it.each([
    ...['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'PWD', 'JOB_COMPLETION_INDEX'],
    ...['FLUX_URI', 'FLUX_EXEC_PATH', 'FLUX_POD_SIZE', 'FLUX_POD_CONFIG', 'FLUX_POD_BROKER_OPTIONS'],
    ...['KUBERNETES_SERVICE_HOST', 'KUBERNETES_PORT_443_TCP_ADDR'],
  ])('shows %s', (name) => expect(environmentText({ [name]: 'a value' })).toBe(`${name}=a value\n`));
});

describe('a text in a bundle', () => {
  it.each([
    ['a URL with a password', `postgres://user:${secret}@db/name`],
    ['a URL with a slash in its password', 'https://u:s3cr3t/w@host/path'],
    ['a URL with a key for a user', 'https://s3cr3tkey@sentry.example/1'],
    ['a webhook', 'https://hooks.slack.com/services/s3cr3t/B/c'],
    ['an account key', 'Endpoint=x;AccountName=a;AccountKey=s3cr3tkey=='],
    ['a header', 'Authorization: Token s3cr3ttoken'],
    ['a header in quotes', '"authorization": "Digest s3cr3ttoken"'],
    ['a bearer', 'sent Bearer s3cr3t0123456789'],
    ['a variable of a command', 'rc2.0: env MYSQL_PWD=s3cr3t mysql'],
    ['a quoted variable', `DB_PASS='s3cr3t with blanks'`],
    ['a flag', 'program --db-password s3cr3t --verbose'],
    ['a flag with =', 'program --api-key=s3cr3t'],
    ['a user of curl', 'curl -u me:s3cr3t https://host'],
    ['JSON', '{"clientSecret": "s3cr3t", "a": 1}'],
    ['a certificate of CURVE', '    secret-key = "s3cr3t@$w-vo<f"'],
    ['a private key', '-----BEGIN EC PRIVATE KEY-----\ns3cr3t\n-----END EC PRIVATE KEY-----'],
    ['a private key that is cut off', '-----BEGIN PRIVATE KEY-----\ns3cr3t\n'],
  ])('shows nothing of %s', (_, text) => {
    expect(redact(`before\n${text}\n`)).not.toContain('s3cr3t');
    expect(redact(`before\n${text}\n`)).toMatch(/^before\n[\s\S]*removed/);
  });

  it.each([
    'AKIAIOSFODNN7EXAMPLE',
    `ghp_${'a1'.repeat(18)}`,
    `github_pat_${'a1'.repeat(18)}`,
    `glpat-${'a1'.repeat(10)}`,
    'xoxb-123456789012-abcdefghij',
    `hf_${'a1'.repeat(16)}`,
    `eyJ${'a1'.repeat(10)}.eyJ${'b2'.repeat(10)}.${'c3'.repeat(10)}`,
  ])('shows nothing of a token that can be told by its beginning: %s', (token) => {
    expect(redact(`x ${token} y`)).toBe('x (token removed) y');
  });

  it.each([
    'tcp://10.0.0.1:8050',
    'local:///run/flux-pod/run/flux/local',
    'hosts = [{ host = "mc-[0-3]" }]',
    'nameserver 10.96.0.10',
    'ok    certificate  /etc/flux-pod/curve/curve.cert: readable, safe, and its keys belong together',
    'overlay /etc overlay rw,relatime,lowerdir=/etc 0 0',
  ])('keeps what is no secret: %s', (text) => expect(redact(text)).toBe(text));

  it('is gone through in time that grows with its length', () => {
    for (const piece of ['a-', '://', 'key', 'x@', '--', 'a://a', 'eyJ.', '"', 'Authorization: ']) {
      const [short, long] = [20_000, 80_000].map((length) => piece.repeat(length / piece.length));
      // The best of three: four times the length takes about four times as long, a quadratic pattern sixteen times.
      const best = (text = '') => cpuTime(() => redact(text));
      best(short);
      expect(best(long), piece).toBeLessThan(10 * best(short) + 20);
    }
  });
});
