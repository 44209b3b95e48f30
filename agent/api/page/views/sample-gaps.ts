/** Samples are taken only while a page is open: lines in a plot have a gap where there were none. */
export const gapSeconds = 15;

export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** The gaps between samples that are not consecutive. Data in, data out. */
export const gapsOf = (samples: readonly { readonly time: number }[]): Gap[] =>
  samples.flatMap(({ time }, place) => {
    const from = samples[place - 1]?.time;
    return from !== undefined && time - from > gapSeconds ? [{ from, to: time }] : [];
  });
