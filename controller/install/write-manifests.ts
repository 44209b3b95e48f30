/** Writes what `kubectl apply -k controller/install` applies, crd.yaml and controller.yaml beside this file, and the Helm chart. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { chartFiles } from './chart.ts';
import { customResourceDefinition } from './custom-resource.ts';
import { manifests, usualImage, usualValues } from './manifests.ts';

const note = '# Made from the sources beside it by `npm run build`.\n';
const write = (file: string, text: string) => {
  const path = join(import.meta.dirname, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, note + text);
};
const documents = (objects: readonly object[]) =>
  objects.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n');

write('crd.yaml', documents([customResourceDefinition()]));
write('controller.yaml', documents(manifests({ ...usualValues, image: usualImage })));
for (const [file, text] of Object.entries(chartFiles())) write(join('chart', file), text);
