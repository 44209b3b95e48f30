import { afterEach, describe, expect, it, vi } from 'vitest';
import { completion } from '../../entrypoint/commands/completion.ts';
import { help } from '../../entrypoint/commands/help.ts';
import { verbs } from '../../entrypoint/verbs.ts';

afterEach(() => vi.restoreAllMocks());

async function written(write: () => Promise<number>): Promise<string> {
  let text = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((piece) => {
    text += piece;
    return true;
  });
  expect(await write()).toBe(0);
  return text;
}

describe('flux-pod help', () => {
  it('has a line for each verb and what may stand behind it', async () => {
    const text = await written(() => help([]));
    const lines = text.split('\n').map((line) => line.trim().replace(/ {2,}/, ' '));
    for (const [verb, { forms }] of Object.entries(verbs))
      for (const [form, meaning] of Object.entries(forms))
        expect(lines).toContain(`flux-pod ${verb} ${form} ${meaning}`.replace(/ {2,}/, ' '));
  });

  it.each(Object.keys(verbs))('of %s explains its own flags and nobody else\u2019s', async (verb) => {
    const text = await written(() => help([verb]));
    const { flags, settings = [] } = verbs[verb] ?? { flags: {} };
    const shown = [...text.matchAll(/^ {2}(?:-\w, )?--([\w-]+)/gm)].map(([, flag]) => flag);
    // --config is explained with all settings together.
    const owned = [...Object.keys(flags), ...settings.filter((flag) => flag !== 'config')];
    expect(shown.sort()).toEqual(owned.sort());
  });

  it('of a word that is no verb is all of it', async () => {
    expect(await written(() => help(['sing']))).toBe(await written(() => help([])));
  });
});

describe('flux-pod completion', () => {
  it.each(['bash', 'zsh', 'fish'])('for %s knows every verb and flag', async (shell) => {
    const text = await written(() => completion([shell]));
    for (const [verb, { flags, settings = [] }] of Object.entries(verbs))
      for (const word of [verb, ...Object.keys(flags), ...settings]) expect(text).toContain(word);
  });
});
