/** Milliseconds since 1970 by a clock that never jumps: what is compared must not be, when somebody sets the machine's clock. */
export type Instant = number;

export const instant = (): Instant => performance.timeOrigin + performance.now();
