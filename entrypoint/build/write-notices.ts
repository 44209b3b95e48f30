/**
 * Writes the licences of what the bundles in images were made from: `node write-notices.ts DIRECTORY METAFILE...`. The metafiles are
 * the bundlers', so that just the packages are named that are in a bundle.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [directory = '', ...metafiles] = process.argv.slice(2);
const inputsOf = (metafile: string) =>
  Object.keys((JSON.parse(readFileSync(metafile, 'utf8')) as { inputs: Record<string, unknown> }).inputs);
const packages = new Set(
  metafiles.flatMap(inputsOf).flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
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
  `flux-pod.cjs, its chunks, controller.cjs and render.cjs contain the following packages.\n\n${notices.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`,
);
copyFileSync('LICENSE', join(directory, 'LICENSE'));
