/**
 * Starts flux-pod.cjs with the code cache beside it: V8 then need not compile what it compiled when the cache was made, which is a
 * seventh of the time from exec to the broker's start. A cache of another Node.js is refused by V8 and does no harm.
 * Unlike Node's own compile cache (module.enableCompileCache) it serves every user id.
 */
'use strict';
const { readFileSync, writeFileSync } = require('node:fs');
const Module = require('node:module');
const { Script } = require('node:vm');

const program = `${__dirname}/flux-pod.cjs`;
const cache = `${__dirname}/flux-pod.cache`;
const making = process.env.FLUX_POD_MAKE_CACHE === cache;

let cachedData;
if (!making) {
  try {
    cachedData = readFileSync(cache);
  } catch {
    // compiled as usual
  }
}
const source = Module.wrap(readFileSync(program, 'latin1'));
const script = new Script(source, { filename: program, ...(cachedData && { cachedData }) });
if (making) {
  delete process.env.FLUX_POD_MAKE_CACHE;
  // When the broker is started the cache holds what the way there runs, and nothing of what comes after.
  const childProcess = require('node:child_process');
  const { spawn } = childProcess;
  childProcess.spawn = (...command) => {
    writeFileSync(cache, script.createCachedData());
    return spawn(...command);
  };
}
// For `flux-pod install`, which must not pass on a cache that its Node.js refuses.
exports.cacheAccepted = cachedData !== undefined && !script.cachedDataRejected;
// What Module.prototype._compile does for a file. Chunks that import flux-pod.cjs find this one by its name.
const main = new Module(program, module);
main.filename = program;
require.cache[program] = main;
script.runInThisContext().call(main.exports, main.exports, main.require.bind(main), main, program, __dirname);
