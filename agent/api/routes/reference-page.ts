/** The reference of the API as a page: without scripts, and without resources of other origins. */

import type { Route } from '../http/route.ts';
import { problemKinds } from '../problem.ts';
import type { openapiOf } from './openapi.ts';

const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`).replace(/`([^`]+)`/g, '<code>$1</code>');

export const referenceHeaders = {
  'content-security-policy': "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
};

const head = (title: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><link rel="stylesheet" href="/page.css"><body class="reference"><main>`;

export function referencePage(routes: readonly Route[], document: ReturnType<typeof openapiOf>): string {
  const tags = document.tags.map(({ name }) => {
    const rows = routes.filter(({ tag }) => tag === name).map((route) => operation(route, document));
    return `<section><h2>${escaped(name)}</h2>${rows.join('')}</section>`;
  });
  return `${head('flux-pod: the REST API')}<h1>flux-pod ${escaped(document.info.version)}: the REST API</h1>
<p>${escaped(document.info.description)}</p>
<p>Authentication: <code>Authorization: Bearer TOKEN</code>, or Basic with any user and the token as password. Generated from
<a href="/v1/openapi.json">openapi.json</a>; errors are <a href="/v1/problems">problem details</a>.</p>
${tags.join('\n')}</main></body></html>\n`;
}

function operation(route: Route, document: ReturnType<typeof openapiOf>): string {
  const described = document.paths[route.path]?.[route.method.toLowerCase()] as {
    parameters: { name: string; in: string; description?: string }[];
    requestBody?: { content: { 'application/json': { schema: object } } };
  };
  const parameters = described.parameters.map(
    ({ name, in: where, description = '' }) =>
      `<dt><code>${escaped(name)}</code> in the ${where}</dt><dd>${escaped(description)}</dd>`,
  );
  const body = described.requestBody?.content['application/json'].schema;
  return `<details><summary><code class="method">${route.method}</code> <code>${escaped(route.path)}</code> ${escaped(route.summary)}
<small>${route.role === 'none' ? 'no token' : route.role}</small></summary>
${route.description === undefined ? '' : `<p>${escaped(route.description)}</p>`}
${parameters.length === 0 ? '' : `<dl>${parameters.join('')}</dl>`}
${body === undefined ? '' : `<p>Body:</p><pre>${escaped(JSON.stringify(body, null, 1))}</pre>`}</details>`;
}

export const problemsPage = (): string =>
  `${head('flux-pod: problems')}<h1>Problems</h1><dl>${Object.entries(problemKinds)
    .map(
      ([kind, { status, title }]) =>
        `<dt id="${kind}"><code>${kind}</code> ${status}</dt><dd>${escaped(title)}</dd>`,
    )
    .join('')}</dl></main></body></html>\n`;
