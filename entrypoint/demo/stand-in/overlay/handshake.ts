/** The messages between neighbours in the tree, which are not routed (flux-core src/modules/overlay/overlay.c). */
import { MessageType, NodeId, noMatchtag } from '../../../../agent/flux/constants.ts';
import type { Control, Request, Response } from '../../../../agent/flux/message.ts';
import { encodeJson, type JsonObject } from '../../../../agent/flux/payload.ts';
import type { Subtree } from '../../../../agent/flux/services/overlay.ts';

export type Status = Subtree['status'];

/** A child's first word to its parent, which answers with its own `uuid`. */
export type Hello = {
  readonly rank: number;
  /** Made at the broker's start: a peer of the same rank with another one is another process. */
  readonly uuid: string;
  readonly status: Status;
  /** Whether this child had a parent before. It is then lost to it, or was another's. */
  readonly again: boolean;
  readonly publicKey: string;
};

/** Types of control messages. */
export const ControlType = { status: 1, disconnect: 2 } as const;

const owner = { flags: 0, userid: 0, rolemask: 1 } as const;

export const control = (type: number, status = 0): Control => ({
  type: MessageType.control,
  ...owner,
  control: type,
  status,
});

export const ask = (topic: string, payload?: JsonObject): Request => ({
  type: MessageType.request,
  ...owner,
  nodeid: NodeId.any,
  matchtag: noMatchtag,
  topic,
  ...(payload && { payload: encodeJson(payload) }),
});

export const answer = (
  { topic = '', matchtag }: Request,
  result: { payload: JsonObject } | { errnum: number; text: string },
): Response => ({
  type: MessageType.response,
  ...owner,
  errnum: 'errnum' in result ? result.errnum : 0,
  matchtag,
  topic,
  payload: 'errnum' in result ? Buffer.from(`${result.text}\0`) : encodeJson(result.payload),
});
