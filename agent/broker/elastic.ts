import type { Configuration } from '../config/configuration.ts';

/**
 * Whether pods come and go while the instance runs. With FLUX_POD_HOSTS the ranks are pods of several Jobs, and the highest are not those that
 * a Job takes away.
 */
export const isElastic = ({
  minSize,
  maxSize,
  hosts,
}: Pick<Configuration, 'minSize' | 'maxSize' | 'hosts'>): boolean => minSize < maxSize && hosts === undefined;
