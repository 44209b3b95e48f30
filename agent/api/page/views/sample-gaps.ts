/** Samples are taken only while a page is open: no line leads over the time before. */
export const gapSeconds = 15;

export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** The times between samples that are further apart than those that are taken one after the other. Data in, data out. */
export const gapsOf = (samples: readonly { readonly time: number }[]): Gap[] =>
  samples.flatMap(({ time }, place) => {
    const from = samples[place - 1]?.time;
    return from !== undefined && time - from > gapSeconds ? [{ from, to: time }] : [];
  });
