import {
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

let versions = 0;

/**
 * Makes `directory` hold these files the way the kubelet does, at first and whenever the Secret has changed: each key is a symlink into
 * `..data`, itself a symlink to a version that is exchanged as a whole (pkg/volume/util/atomic_writer.go).
 */
export function mountSecret(directory: string, files: Readonly<Record<string, string>>): void {
  const version = `..version-${++versions}`;
  mkdirSync(join(directory, version));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, version, name), text);
  const [data, fresh] = [join(directory, '..data'), join(directory, '..data_tmp')];
  const present = readdirSync(directory);
  const old = present.includes('..data') ? readlinkSync(data) : undefined;
  symlinkSync(version, fresh);
  renameSync(fresh, data);
  for (const name of Object.keys(files))
    if (!present.includes(name)) symlinkSync(join('..data', name), join(directory, name));
  for (const name of old === undefined ? [] : readdirSync(join(directory, old)))
    if (!(name in files)) rmSync(join(directory, name), { force: true });
  if (old !== undefined) rmSync(join(directory, old), { recursive: true });
}
