import { attach as attachTo } from '../../agent/lifecycle/attach.ts';
import { lastWords, writeTerminationLog } from '../../agent/lifecycle/termination-log.ts';
import { createLog } from '../../agent/log.ts';
import { firstLabel } from '../../agent/pod/identity.ts';
import { attachFlags, parseVerbArguments } from '../arguments.ts';
import { configureAttachment } from '../configure.ts';

/**
 * `flux-pod attach [--socket URI|PATH] [FLAGS]`: probes, status and metrics of a broker in this pod that somebody else starts. Starts
 * nothing. Resolves to 143 after SIGTERM, to 0 when the broker has gone for good.
 */
export async function attach(args: readonly string[]): Promise<number> {
  const { flags } = parseVerbArguments('attach', args, attachFlags);
  const { configuration } = await configureAttachment(flags, process.env).catch(lastWords);
  const log = createLog({
    level: configuration.logLevel,
    format: configuration.logFormat,
    base: { pod: firstLabel(configuration.hostname) },
  });
  const outcome = await attachTo(configuration, log);
  await log.open();
  writeTerminationLog(outcome);
  return outcome.code;
}
