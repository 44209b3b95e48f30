import { isIP } from 'node:net';
import { expect, it } from 'vitest';
import { addressFamily } from '../agent/address-family.ts';

it.each([
  '10.0.0.1',
  '::1',
  'fe80::1%eth0',
  '::ffff:10.0.0.1',
  'mc-0',
  'mc-0.svc',
  'a:b',
  '1.2.3',
  '',
  '10.0.0.256',
])('the family of %o is what Node.js says', (host) => expect(addressFamily(host)).toBe(isIP(host)));
