/**
 * dist/demo.cjs: the demo, for `flux-pod demo` to load, and the stand-in for Flux, which runs as `node demo.cjs stand-in-flux ARGS...`.
 * Nothing of it is in flux-pod.cjs, in an image or in what `flux-pod install` copies.
 */

import { outliveReaders, report } from '../command-line/report-error.ts';
import type { DemoBundle } from '../verbs/setup/demo.ts';

export const demo: DemoBundle['demo'] = async (request) => {
  const { runDemo } = await import('./run-demo.ts');
  return runDemo(request).catch(report);
};

const [, , word, ...args] = process.argv;
if (word === 'stand-in-flux') {
  outliveReaders();
  import('./stand-in/main.ts')
    .then(({ standInFlux }) => standInFlux(args))
    .catch(report)
    .then((code) => process.exit(code));
}
