import type { SettingName } from './settings.ts';

/** What `flux-pod attach` needs to know; it asks the broker for the rest. */
export const attachSettings: readonly SettingName[] = [
  'socket',
  'linger',
  'dir',
  'http',
  'ready',
  'logLevel',
  'logFormat',
];

/** What is of no use to anybody else. */
export const attachOnly: readonly SettingName[] = ['socket', 'linger'];
