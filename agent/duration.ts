const unitMs: Record<string, number> = { ms: 1, s: 1000, '': 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Seconds of an RFC 23 duration: a number with an optional unit of `ms`, `s`, `m`, `h` or `d`, seconds where it has none;
 * `inf` and `infinity` for ever. Undefined where the text is no duration.
 */
export function parseDuration(value: string): number | undefined {
  if (/^inf(inity)?$/i.test(value)) return Number.POSITIVE_INFINITY;
  const match = /^((?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)(ms|s|m|h|d|)$/.exec(value);
  const unit = unitMs[match?.[2] ?? ''];
  return match?.[1] === undefined || unit === undefined ? undefined : (Number(match[1]) * unit) / 1000;
}
