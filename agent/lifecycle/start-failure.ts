/** Why a broker has ended before it ran the initial program. */
import type { LogLine } from '../flux/services/broker-log.ts';

/** What a broker left behind when it ended. */
export interface BrokerTrace {
  /** Whether it has ever made its local socket, which it does before it joins. */
  readonly madeSocket: boolean;
  /** Its log as it was when it shut down; empty where that could not be read. */
  readonly log: readonly LogLine[];
}

/** A traceback's last line may be long. */
const longestReason = 300;

/**
 * Says why a broker that exited with `code` never ran the initial program. Undefined where the program ran, and where nothing shows that
 * it did not: the exit code is the program's then.
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
