/** The web page and the reference: what a browser gets without a token. Nothing in it is a secret. */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { type Reply, type Route, route } from '../http/route.ts';
import { openapiOf } from './openapi.ts';
import { problemsPage, referenceHeaders, referencePage } from './reference-page.ts';

/** The page as `npm run build` makes it from the sources in page/. */
export interface Page {
  readonly script: string;
  readonly style: string;
}

/** Only scripts of this origin run, and nothing is sent to another. */
const pageHeaders = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
};

const shell = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>flux-pod</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E%3Ccircle cx='4' cy='4' r='3' fill='%2300796b'/%3E%3C/svg%3E">
<link rel="stylesheet" href="/page.css">
<script type="module" src="/page.js"></script>
<body>
<div id="page"></div>
<noscript>This page needs JavaScript; the API does not: <a href="/v1/docs">its reference</a>.</noscript>
</body>
</html>
`;

export function pageRoutes(page: Page, routes: readonly Route[], version: string): Route[] {
  const document = openapiOf(routes, { version });
  const html = 'text/html; charset=utf-8';
  return [
    asset('/', 'The web page', html, () => shell, pageHeaders),
    asset('/page.js', 'Its script', 'text/javascript; charset=utf-8', () => page.script),
    asset('/page.css', 'Its style', 'text/css; charset=utf-8', () => page.style),
    asset('/v1/openapi.json', 'This description', 'application/json', () => JSON.stringify(document)),
    asset('/v1/docs', 'The reference', html, () => referencePage(routes, document), referenceHeaders),
    asset('/v1/problems', 'Kinds of problems', html, problemsPage, referenceHeaders),
  ];
}

/** An answer that is the same for all clients: compressed once, at the first request, and revalidated by browsers with its ETag. */
function asset(
  path: Route['path'],
  summary: string,
  type: string,
  make: () => string,
  headers: Readonly<Record<string, string>> = {},
): Route {
  let made: { etag: string; plain: Buffer; gzip: Buffer; brotli: Buffer } | undefined;
  return route({
    method: 'GET',
    path,
    role: 'none',
    tag: 'Page',
    summary,
    answer: { mediaType: type, description: summary },
    handle: async ({ headers: asked }): Promise<Reply> => {
      if (!made) {
        const plain = Buffer.from(make());
        const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
        made = { etag, plain, gzip: gzipSync(plain), brotli: brotliCompressSync(plain) };
      }
      const kept = { ...headers, etag: made.etag, 'cache-control': 'no-cache', vary: 'accept-encoding' };
      if (asked['if-none-match'] === made.etag) return { status: 304, type, body: '', headers: kept };
      const encoding = encodingOf(asked);
      return {
        type,
        body: made[encoding ?? 'plain'],
        headers: { ...kept, ...(encoding && { 'content-encoding': encoding === 'brotli' ? 'br' : 'gzip' }) },
      };
    },
  });
}

function encodingOf({
  'accept-encoding': accepted = '',
}: IncomingHttpHeaders): 'brotli' | 'gzip' | undefined {
  const names = String(accepted)
    .split(',')
    .map((part) => part.trim())
    .filter((part) => !/;\s*q=0(\.0*)?$/.test(part))
    .map((part) => part.split(';', 1)[0]);
  return names.includes('br') ? 'brotli' : names.includes('gzip') ? 'gzip' : undefined;
}
