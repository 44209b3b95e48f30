/** metav1.MicroTime, from milliseconds since the epoch. */
export const microTime = (time: number): string => new Date(time).toISOString().replace('Z', '000Z');
