/**
 * A stand-in for the `flux` command on machines without Flux: seen from outside it does what a hello world, a bootstrap and
 * a client of a broker's local socket need, and no more. Its brokers speak RFC 3 with clients and among each other, there
 * over plain TCP: nothing here is encrypted.
 */
import { type ClientCommand, clientCommands } from './client-commands.ts';

/** `flux ARGS...`. Resolves to the exit code. */
export async function standInFlux([command = '', ...args]: readonly string[]): Promise<number> {
  if (command === 'broker') return (await import('./broker.ts')).runBroker(args);
  if (command === 'version') {
    process.stdout.write("commands:    \t\tflux-pod's stand-in for Flux\n");
    return 0;
  }
  const run: ClientCommand | undefined = Object.hasOwn(clientCommands, command)
    ? clientCommands[command]
    : undefined;
  if (run) return run(args);
  process.stderr.write(`flux: flux-pod's stand-in has no "flux ${command}": install Flux\n`);
  return 1;
}
