import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ExitCode } from '../../agent/errors.ts';
import { createSpoken, readTexts } from '../support/project/spoken.ts';

const page = readFileSync('docs/troubleshooting.md', 'utf8');
const isSpoken = createSpoken(readTexts(['agent', 'controller', 'entrypoint']));

/** The code in the first cells of the tables that begin with `message`. */
function quotedMessages(markdown: string): string[] {
  let inTable = false;
  return markdown.split('\n').flatMap((line) => {
    if (!line.startsWith('|')) inTable = false;
    else if (line.startsWith('| message |')) inTable = true;
    else if (inTable && !line.startsWith('| --- |')) {
      const [, cell = ''] = line.split(/(?<!\\)\|/);
      return [...cell.matchAll(/`` (.+?) ``|`([^`]+)`/g)].map(([, two, one]) => two ?? one ?? '');
    }
    return [];
  });
}

const messages = quotedMessages(page);

describe('docs/troubleshooting.md', () => {
  it('quotes many messages', () => expect(messages.length).toBeGreaterThan(60));

  it.each(messages)('%s', (message) => expect(isSpoken(message)).toBe(true));

  it.each(Object.entries(ExitCode))('has a section for the exit code of %s', (_, code) => {
    expect(page).toMatch(new RegExp(`^## .*\\b${code}\\b`, 'm'));
  });

  it('would notice a message that nobody says', () => {
    expect(isSpoken('Cannot use the CURVE certificate <path>: there is no such file')).toBe(true);
    expect(isSpoken('Cannot use the CURVE certificate <path>: there is no such folder')).toBe(false);
    expect(isSpoken('Cannot find the flux')).toBe(false);
    expect(isSpoken("Waiting for the parent's name: no such service, or it publishes no pod")).toBe(true);
  });
});
