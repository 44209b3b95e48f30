/** The answers under way, each with its token: a stream ends when its token is revoked. */
import type { ServerResponse } from 'node:http';
import type { Principal } from './authenticate.ts';
import type { Token } from './credentials.ts';

export interface OpenAnswers {
  /** Remembers an answer until it is complete or its connection closes. */
  readonly hold: (response: ServerResponse, principal: Principal) => void;
  /** Closes the connections of those whose token is none of `tokens`. */
  readonly endRevoked: (tokens: readonly Token[]) => void;
}

export function createOpenAnswers(): OpenAnswers {
  const open = new Map<ServerResponse, string>();
  return {
    hold: (response, { token }) => {
      open.set(response, token);
      response.once('close', () => open.delete(response));
    },
    endRevoked: (tokens) => {
      for (const [response, id] of open) if (!tokens.some((token) => token.id === id)) response.destroy();
    },
  };
}
