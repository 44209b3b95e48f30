/** Why a broker that has exited, with 1 or another code, could not start: found after its exit, from its port, its socket and its log. */
import { statSync, utimesSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Membership } from '../../broker/membership.ts';
import type { Ending } from '../../broker/process/broker-process.ts';
import type { Configuration } from '../../config/configuration.ts';
import { ExitCode, PodError } from '../../errors.ts';
import type { LogLine } from '../../flux/services/broker-log.ts';
import { assertPortIsFree } from './port-in-use.ts';

/** What remains of a broker after its exit. */
export interface BrokerTrace {
  /** Whether it has ever made its local socket, which it does before it joins. */
  readonly madeSocket: boolean;
  /** Its log from the begin of its shutdown; empty where that could not be read. */
  readonly log: readonly LogLine[];
}

/** A traceback's last line may be long. */
const longestReason = 300;

/** The exit code of a broker that could not start. */
const brokerFailed = 1;

/**
 * Finds the reason when a broker has failed by itself, and throws it as a PodError: the port is taken (exit 78), or the leader's broker did
 * not start its program (exit 71). It looks afterwards, because a check beforehand would delay every start.
 */
export async function explainExit(
  ending: Ending,
  configuration: Configuration,
  { tree, rank }: Membership,
  trace: BrokerTrace,
): Promise<void> {
  if (ending.code === 0 || ending.signal) return;
  if (ending.code === brokerFailed && tree.descendantCountOf(rank) > 0)
    await assertPortIsFree(configuration.address, configuration.port);
  const why = rank === 0 ? startFailureOf(trace, ending.code) : undefined;
  if (why === undefined) return;
  throw new PodError(ExitCode.brokerFailed, `The broker could not start: ${why}`, {
    hint: why.startsWith('rc1 ')
      ? 'COMMAND has not run. The lines `rc1.0:` of the log above have the reason.'
      : 'COMMAND has not run. The last lines of the broker above have the reason.',
  });
}

/**
 * Why a broker that exited with `code` never ran the initial program. Undefined where the program ran, and where nothing shows that it did
 * not: then the exit code is the program's.
 */
export function startFailureOf({ madeSocket, log }: BrokerTrace, code: number): string | undefined {
  if (!madeSocket) return `it exited with code ${code} before it opened its socket`;
  const [, event, state] = find(log, /^(\S+): (\S+)->shutdown\b/) ?? [];
  // Only `run` leads to `cleanup` (flux-core src/broker/state_machine.c).
  if (state === undefined || state === 'cleanup') return undefined;
  if (event !== 'rc1-fail') return `it left state ${state} (${event})`;
  // flux-core src/broker/runat.c, log_command(): `rc1.0: flux modprobe rc1 Exited (rc=1) 0.4s`.
  const [, rc] = find(log, /^rc1\.\d+: .* \(rc=(\d+)\) [\d.]+s$/) ?? [];
  const reason = lastError(log);
  return `rc1 exited with code ${rc ?? code}${reason === undefined ? '' : `: ${reason}`}`;
}

function find(log: readonly LogLine[], pattern: RegExp): RegExpExecArray | undefined {
  for (const { component, text } of log) {
    const match = component === 'broker' ? pattern.exec(text) : null;
    if (match) return match;
  }
  return undefined;
}

/** The last line that rc1 wrote to stderr: of a Python traceback, the exception. */
function lastError(log: readonly LogLine[]): string | undefined {
  const lines = log.flatMap(({ severity, text }) => {
    const [, line = ''] = /^rc1\.\d+: (.*)$/.exec(text) ?? [];
    return severity === 3 && line.trim() !== '' && !/ \(rc=\d+\) [\d.]+s$/.test(line) ? [line.trim()] : [];
  });
  return lines.at(-1)?.slice(0, longestReason);
}

/**
 * To be called before the broker starts; returns whether it has made its socket since. A broker removes its socket when it exits
 * (flux-core src/modules/connector-local), but the time of the directory stays changed.
 */
export function watchSocket(socket: string): () => boolean {
  const directory = dirname(socket);
  // Before Linux 6.13 the clock of these times ticks every few milliseconds only, and the directory is new.
  utimesSync(directory, 0, 0);
  return () => statSync(directory, { throwIfNoEntry: false })?.mtimeMs !== 0;
}
