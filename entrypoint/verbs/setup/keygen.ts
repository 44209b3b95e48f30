import { closeSync, fchmodSync, openSync, writeFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { formatCertificate } from '../../../agent/broker/curve.ts';
import { createCertificate } from '../../../agent/broker/curve-keys.ts';
import { ExitCode, errnoOf, messageOf, PodError } from '../../../agent/errors.ts';
import type { ParsedArguments } from '../../command-line/arguments.ts';
import type { Verb } from '../verb.ts';

/**
 * `flux-pod keygen FILE`: a new CURVE certificate in a file that only its owner can read.
 * `flux-pod keygen --secret NAME [--namespace NAMESPACE]`: the same as a Secret manifest on stdout, for `kubectl apply -f -`.
 */
export const keygen: Verb = {
  forms: {
    FILE: 'a new CURVE certificate',
    '--secret NAME': 'the same as a Kubernetes Secret manifest',
  },
  flags: {
    secret: {
      type: 'string',
      value: 'NAME',
      meaning: 'a Secret manifest of that name on stdout, for `kubectl apply -f -`',
    },
    namespace: { type: 'string', value: 'NAMESPACE', meaning: 'the namespace of the Secret' },
    force: { type: 'boolean', meaning: 'replaces FILE where it exists' },
  },
  takes: 1,
  examples: ['flux-pod keygen --secret flux-curve | kubectl apply -f -', 'flux-pod keygen curve.cert'],
  run: makeCertificate,
};

async function makeCertificate({ flags, positionals }: ParsedArguments): Promise<number> {
  const [file] = positionals;
  const { secret, namespace } = flags;
  if ((file === undefined) === (secret === undefined)) {
    throw new PodError(ExitCode.usage, 'Cannot make a certificate: give either FILE or --secret NAME', {
      hint: '`flux-pod keygen --secret NAME | kubectl apply -f -`, or `flux-pod keygen curve.cert`.',
    });
  }
  if (typeof secret === 'string') process.stdout.write(secretManifest(secret, namespace, newCertificate()));
  if (file !== undefined) writeNew(file, newCertificate(), flags.force === true);
  return 0;
}

const newCertificate = (): string =>
  formatCertificate(
    createCertificate({
      name: hostname().split('.', 1)[0] ?? '',
      time: new Date().toISOString().slice(0, 19),
      userid: String(userInfo().uid),
      hostname: hostname(),
    }),
  );

/** An existing file may be a key in use: only `--force` replaces it, and its mode is made safe first. */
function writeNew(file: string, certificate: string, replace: boolean): void {
  try {
    const descriptor = openSync(file, replace ? 'w' : 'wx', 0o600);
    try {
      if (replace) fchmodSync(descriptor, 0o600);
      writeFileSync(descriptor, certificate);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const exists = errnoOf(error) === 'EEXIST';
    throw new PodError(
      ExitCode.certificate,
      `Cannot write the certificate to ${file}: ${exists ? 'it exists' : messageOf(error)}`,
      exists
        ? { hint: 'Choose another name, or replace it with --force: pods that use it must then restart.' }
        : {},
    );
  }
}

/** https://kubernetes.io/docs/concepts/configuration/secret/ */
function secretManifest(name: string, namespace: unknown, certificate: string): string {
  const dnsName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
  for (const given of [name, namespace]) {
    if (given === undefined || (typeof given === 'string' && given.length <= 253 && dnsName.test(given)))
      continue;
    throw new PodError(
      ExitCode.usage,
      `Cannot name a Secret ${JSON.stringify(given)}: expected a DNS name (a-z, 0-9, - and .)`,
    );
  }
  return [
    'apiVersion: v1',
    'kind: Secret',
    'metadata:',
    `  name: ${JSON.stringify(name)}`,
    ...(namespace === undefined ? [] : [`  namespace: ${JSON.stringify(namespace)}`]),
    'type: Opaque',
    'immutable: true',
    'data:',
    `  curve.cert: ${Buffer.from(certificate).toString('base64')}`,
    '',
  ].join('\n');
}
