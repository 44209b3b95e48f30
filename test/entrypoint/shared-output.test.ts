import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { expect, it } from 'vitest';

// Not imported: Node.js itself opens stderr where it loads TypeScript.
const keepOutputBlocking = stripTypeScriptTypes(
  readFileSync('entrypoint/command-line/shared-output.ts', 'utf8'),
);

/** What a process writes that has closed a socket and loaded node:assert, with `first` before that: to stdout, to stderr, and its flags of these. */
function writtenBy(first: string): { text: string; nonBlocking: boolean[] } {
  const program = `
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
${first}
const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1', () =>
  connect(server.address().port, '127.0.0.1').resume().on('close', async () => {
    await import('node:assert');
    server.close();
    process.stdout.write('said ');
    process.stderr.write('and told\\n');
    process.stdout.write(JSON.stringify([1, 2].map((fd) => (parseInt(/flags:\\s*(\\d+)/.exec(readFileSync('/proc/self/fdinfo/' + fd, 'utf8'))[1], 8) & 0o4000) !== 0)));
  }));
`;
  // A pipe, as a container has it.
  const output = execFileSync(
    'sh',
    ['-c', '"$0" --input-type=module --eval "$1" 2>&1 | cat', process.execPath, program],
    { encoding: 'utf8' },
  );
  const [text = '', flags = ''] = output.split('\n');
  return { text, nonBlocking: JSON.parse(flags) };
}

it('stdout and stderr stay blocking for the program that shares them, and what is written there is written', () => {
  expect(writtenBy('')).toEqual({ text: 'said and told', nonBlocking: [true, true] });
  expect(writtenBy(`${keepOutputBlocking}; keepOutputBlocking();`)).toEqual({
    text: 'said and told',
    nonBlocking: [false, false],
  });
});
