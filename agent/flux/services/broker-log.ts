/** The broker's log buffer (flux-core src/broker/log.c, flux-dmesg(1)). */
import type { RpcOptions } from '../channel.ts';
import type { FluxClient } from './answer.ts';

/** One line of the log, RFC 5424. */
export interface LogLine {
  /** syslog's: 3 is an error. */
  readonly severity: number;
  /** The part of Flux that wrote it, such as `broker` or `job-manager`. */
  readonly component: string;
  readonly text: string;
}

/**
 * `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG`; Flux writes no structured data, and the severity
 * is in the upper bits of PRI, where RFC 5424 has the facility (flux-core src/common/libutil/stdlog.h).
 */
const rfc5424 = /^<(\d+)>1 \S+ \S+ (\S+) \S+ \S+ \S+ ([\s\S]*)$/;

export function parseLogLine(line: string): LogLine | undefined {
  // A payload may end with a newline, a NUL or both.
  const [, priority, component = '', text = ''] = rfc5424.exec(line.replace(/[\0\n]+$/, '')) ?? [];
  return priority === undefined ? undefined : { severity: Number(priority) >> 3, component, text };
}

/** The lines of the log buffer, oldest first. */
export async function readLog(client: FluxClient, options?: RpcOptions): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  const answers = client.stream('log.dmesg', { follow: false, nobacklog: false }, { ...options, text: true });
  for await (const answer of answers) {
    const line = parseLogLine(String(answer));
    if (line) lines.push(line);
  }
  return lines;
}
