/** Writes what `kubectl apply -k controller/install` applies: crd.yaml and controller.yaml beside this file. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import packageJson from '../../package.json' with { type: 'json' };
import { customResourceDefinition } from './custom-resource.ts';
import { manifests, usualValues } from './manifests.ts';

const note = '# Made from the sources beside it by `npm run build`.\n';
const write = (file: string, objects: readonly object[]) =>
  writeFileSync(
    join(import.meta.dirname, file),
    note +
      objects
        .map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }))
        .join('---\n'),
  );

write('crd.yaml', [customResourceDefinition()]);
write('controller.yaml', manifests({ ...usualValues, image: `flux-pod-installer:${packageJson.version}` }));
