/**
 * Writes the licences of what flux-pod.cjs was bundled from: `node write-notices.ts METAFILE DIRECTORY`. METAFILE is esbuild's, so that
 * just the packages are named that are in the bundle.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [metafile = '', directory = ''] = process.argv.slice(2);
const { inputs } = JSON.parse(readFileSync(metafile, 'utf8')) as { inputs: Record<string, unknown> };
const packages = new Set(
  Object.keys(inputs).flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
);

const notices = [...packages].sort().map((path) => {
  const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  const texts = readdirSync(path)
    .filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
    .map((file) => readFileSync(join(path, file), 'utf8').trim());
  if (!license) throw new Error(`${name} ${version} has no licence in its package.json`);
  return [`${name} ${version} (${license})`, ...texts].join('\n\n');
});
mkdirSync(directory, { recursive: true });
writeFileSync(
  join(directory, 'THIRD-PARTY-NOTICES'),
  `flux-pod.cjs contains the following packages.\n\n${notices.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`,
);
copyFileSync('LICENSE', join(directory, 'LICENSE'));
