import { useUtc } from '../../../agent/clock.ts';
import { messageOf } from '../../../agent/errors.ts';
import { attach as attachToBroker, isScriptOver } from '../../../agent/lifecycle/attach/attach.ts';
import { lastWords, writeTerminationLog } from '../../../agent/lifecycle/exit/termination-log.ts';
import { createLog } from '../../../agent/log.ts';
import { firstLabel } from '../../../agent/pod/identity.ts';
import { printableLines } from '../../../agent/printable.ts';
import { attachFlags, type ParsedArguments } from '../../command-line/arguments.ts';
import { configureAttachment } from '../../command-line/configure.ts';
import type { Verb } from '../verb.ts';

/**
 * `flux-pod attach [--socket URI|PATH] [FLAGS]`: probes, status and metrics of a broker in this pod that another program starts. Starts
 * nothing. Resolves to 143 after SIGTERM, to 0 when the broker has exited and none follows.
 */
export const attach: Verb = {
  forms: {
    '[--socket PATH] [FLAGS]': 'probes, status and metrics of a broker that another program starts',
  },
  flags: {},
  settings: attachFlags,
  examples: ['flux-pod attach', 'flux-pod attach --socket /mnt/flux/config/run/flux/local'],
  run: attachTo,
};

async function attachTo({ flags }: ParsedArguments): Promise<number> {
  useUtc();
  const resolution = await configureAttachment(flags, process.env).catch(excused);
  if (!resolution) return 0;
  const { configuration } = resolution;
  const log = createLog({
    level: configuration.logLevel,
    format: configuration.logFormat,
    base: { pod: firstLabel(configuration.hostname) },
  });
  const outcome = await attachToBroker(configuration, log);
  await log.open();
  writeTerminationLog(outcome);
  return outcome.code;
}

/** A wrong setting is an error until the Flux Operator's wait script has ended: then it must not keep the Job from completing. */
function excused(error: unknown): undefined {
  if (!isScriptOver()) return lastWords(error);
  process.stderr.write(printableLines(`flux-pod: ${messageOf(error)}\n`));
}
