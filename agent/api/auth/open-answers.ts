/** The answers that are under way, and the tokens that they are for: a stream ends with its token. */
import type { ServerResponse } from 'node:http';
import type { Principal } from './authenticate.ts';
import type { Token } from './credentials.ts';

export interface OpenAnswers {
  /** Remembers an answer until its connection is closed or it has been given. */
  readonly hold: (response: ServerResponse, principal: Principal) => void;
  /** Cuts off those whose token is none of `tokens`. */
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
