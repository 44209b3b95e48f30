import { connectFlux, type FluxClient } from '../../agent/flux/client.ts';
import type { FoundDirectory } from './find-run-directory.ts';

/** Connects to the broker of this pod. Where it does not answer, the error names its socket as people know it. */
export async function connectBroker(
  { socket, brokerSocket }: FoundDirectory,
  options: { readonly signal?: AbortSignal } = {},
): Promise<FluxClient> {
  try {
    return await connectFlux(socket, options);
  } catch (error) {
    if (error instanceof Error) error.message = error.message.replaceAll(socket, brokerSocket);
    throw error;
  }
}
