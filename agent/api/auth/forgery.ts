/** Refuses requests that a page of another site makes a browser send. Data in, data out. */
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../../address.ts';
import { HttpProblem } from '../problem.ts';
import type { Principal } from './authenticate.ts';
import type { Credentials } from './credentials.ts';

/** The page sends it with its cookie; a form or an image of another site cannot. */
const pageHeader = 'x-flux-pod';

/**
 * Refuses cross-site changes: by the headers that browsers set and pages cannot (Fetch Metadata, Origin), and, where a cookie
 * authenticates the request, by the lack of the header that only our page sets.
 */
export function refuseForgery(headers: IncomingHttpHeaders, principal: Principal | undefined): void {
  const site = headers['sec-fetch-site'];
  const isCrossSite = site !== undefined && site !== 'same-origin' && site !== 'none';
  if (isCrossSite || !isOwnOrigin(headers))
    throw new HttpProblem('forbidden', 'The request comes from a page of another site.');
  if (principal?.by === 'cookie' && headers[pageHeader] === undefined)
    throw new HttpProblem(
      'forbidden',
      `A change that a cookie authenticates needs the header ${pageHeader}.`,
    );
}

function isOwnOrigin({ origin, host }: IncomingHttpHeaders): boolean {
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** Without tokens, a name that resolves to this address (DNS rebinding) must not make a browser ask for anything. */
export function refuseRebinding({ host }: IncomingHttpHeaders, { tokens }: Credentials): void {
  if (tokens !== undefined) return;
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : '';
  if (!isLoopback(name.replace(/^\[|\]$/g, '')))
    throw new HttpProblem(
      'forbidden',
      'This API listens on loopback only: the Host header must be a loopback address.',
    );
}
