/**
 * Writes dist/flux-pod.cjs and dist/chunks. flux-pod.cjs has what `run` needs until the broker starts, and nothing else: what is read and deserialized there is time that every
 * pod of every start waits. The rest is in chunks/, loaded when it is needed. Their names have a hash of their content, so that a program
 * that runs finds its own chunks also when `flux-pod install` has replaced it.
 */
import { relative } from 'node:path';
import { build, type Plugin } from 'rolldown';

/** A chunk that flux-pod.cjs imports statically would be loaded without a code cache, such as the bundler's helper for `import x from 'node:x'`. */
const loadNoChunk: Plugin = {
  name: 'load-no-chunk',
  generateBundle(_, bundle) {
    const program = bundle['flux-pod.cjs'];
    const chunks = program?.type === 'chunk' ? program.imports.filter((name) => name in bundle) : [];
    if (chunks.length > 0) this.error(`flux-pod.cjs loads ${chunks.join(', ')} before anything else`);
  },
};

/** What the chunks were made from, for write-notices.ts. */
const listInputs: Plugin = {
  name: 'list-inputs',
  generateBundle(_, bundle) {
    const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
    const inputs = Object.fromEntries(modules.map((id) => [relative('.', id), {}]));
    this.emitFile({ type: 'asset', fileName: 'metafile.json', source: JSON.stringify({ inputs }) });
  },
};

await build({
  input: { 'flux-pod': 'entrypoint/main.ts' },
  platform: 'node',
  moduleTypes: { '.txt': 'text' },
  plugins: [loadNoChunk, listInputs],
  output: {
    dir: 'dist',
    format: 'cjs',
    minify: true,
    // V8 takes over Latin-1 without decoding, at a byte a character.
    charset: 'ascii',
    entryFileNames: '[name].cjs',
    chunkFileNames: 'chunks/[name]-[hash].cjs',
    // A group has what its modules import. Without it, what chunks share with flux-pod.cjs would be in chunks of their own.
    codeSplitting: { groups: [{ name: 'run', test: /entrypoint\/main\.ts$/ }] },
  },
});
