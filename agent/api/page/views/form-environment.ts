import { Refusal } from '../api-client.ts';

/** The variables in the lines of a form, NAME=VALUE each; empty lines are none. Throws a Refusal that names a line without a pair. */
export function readEnvironment(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const pairs = lines.map((line): [string, string] => {
    const at = line.indexOf('=');
    const name = line.slice(0, at).trim();
    if (at < 0 || name === '') {
      const what = `expected NAME=VALUE, not "${line.trim()}"`;
      throw new Refusal(0, `Environment: ${what}.`, [{ where: '/environment', what }]);
    }
    return [name, line.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}
