/**
 * Renders a template of a Helm chart, as far as ours uses the language (https://pkg.go.dev/text/template, helm.sh/docs/chart_template_guide):
 * paths from `$` and `.`, `if` with `else`, `range`, `gt`, `int`, `toYaml`, `nindent`, and `-` that takes white space away. All else throws.
 */
import { stringify } from 'yaml';

type Token = { readonly text: string } | { readonly action: string };
type Node =
  | { readonly text: string }
  | { readonly value: string }
  | {
      readonly block: 'if' | 'range';
      readonly of: string;
      readonly then: Node[];
      readonly otherwise: Node[];
    };

export function renderTemplate(template: string, root: object): string {
  const tokens = tokensOf(template);
  const nodes = parse(tokens);
  if (tokens.length > 0) throw new Error('an end without a block');
  return nodes.map((node) => render(node, root, root)).join('');
}

function tokensOf(template: string): Token[] {
  const parts = template
    .replace(/\s*\{\{- /g, '{{ ')
    .replace(/\{\{-(?=\S)/g, () => fail('{{- needs a blank'))
    .replace(/ -\}\}\s*/g, ' }}')
    .split(/(\{\{ .*? \}\})/);
  return parts.map((part, index) =>
    index % 2 === 0 ? { text: part } : { action: part.slice(3, -3).trim() },
  );
}

/** Up to the `end` or `else` that closes what is open, which stays in `tokens`. */
function parse(tokens: Token[], isOpen = false): Node[] {
  const nodes: Node[] = [];
  for (let token = tokens.shift(); token; token = tokens.shift()) {
    if ('text' in token) nodes.push(token);
    else if (token.action === 'end' || token.action === 'else') {
      if (!isOpen) fail(`${token.action} without a block`);
      tokens.unshift(token);
      return nodes;
    } else nodes.push(blockOf(token.action, tokens) ?? { value: token.action });
  }
  if (isOpen) fail('a block without an end');
  return nodes;
}

function blockOf(action: string, tokens: Token[]): Node | undefined {
  const [, block, of = ''] = /^(if|range) (.+)$/.exec(action) ?? [];
  if (block !== 'if' && block !== 'range') return undefined;
  const then = parse(tokens, true);
  const [closing] = tokens.splice(0, 1);
  const hasElse = closing !== undefined && 'action' in closing && closing.action === 'else';
  const otherwise = hasElse ? parse(tokens, true) : [];
  if (hasElse) tokens.splice(0, 1);
  return { block, of, then, otherwise };
}

function render(node: Node, root: object, dot: unknown): string {
  if ('text' in node) return node.text;
  if ('value' in node) return String(evaluate(node.value, root, dot));
  const value = evaluate(node.of, root, dot);
  const all = (nodes: readonly Node[], inner: unknown) =>
    nodes.map((each) => render(each, root, inner)).join('');
  if (node.block === 'if') return all(isTrue(value) ? node.then : node.otherwise, dot);
  const list = value as readonly unknown[];
  return list.length === 0 ? all(node.otherwise, dot) : list.map((each) => all(node.then, each)).join('');
}

const isTrue = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : Boolean(value));

function evaluate(expression: string, root: object, dot: unknown): unknown {
  const [, compared, least] = /^gt \(int (\S+)\) (\d+)$/.exec(expression) ?? [];
  if (compared !== undefined) return Math.trunc(Number(pathOf(compared, root, dot))) > Number(least);
  const [, written, indent] = /^toYaml (\S+) \| nindent (\d+)$/.exec(expression) ?? [];
  if (written !== undefined) {
    const lines = stringify(pathOf(written, root, dot), { lineWidth: 0 })
      .trimEnd()
      .split('\n');
    return lines.map((line) => `\n${' '.repeat(Number(indent))}${line}`).join('');
  }
  return pathOf(expression, root, dot);
}

function pathOf(path: string, root: object, dot: unknown): unknown {
  const [, start, rest = ''] =
    /^(\$?)\.((?:[A-Za-z]+)(?:\.[A-Za-z]+)*)?$/.exec(path) ?? fail(`no path: ${path}`);
  const names = rest === '' ? [] : rest.split('.');
  return names.reduce<unknown>(
    (value, name) => (value as Record<string, unknown>)[name] ?? fail(`no ${name} of ${path}`),
    start === '$' ? root : dot,
  );
}

function fail(why: string): never {
  throw new Error(why);
}
