/** The numbers of RFC 3 (Flux Message Protocol), as in flux-core src/common/libflux/message.h. */

export const MessageType = { request: 1, response: 2, event: 4, control: 8 } as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

/** The optional parts of a message, and its delivery. */
export const Flag = {
  topic: 0x01,
  payload: 0x02,
  noResponse: 0x04,
  route: 0x08,
  upstream: 0x10,
  private: 0x20,
  streaming: 0x40,
  user1: 0x80,
} as const;

/** The destination of a request: the nearest broker that has the service, or the TBON parent of the sender's broker. */
export const NodeId = { any: 0xffff_ffff, upstream: 0xffff_fffe } as const;

/** The broker fills in the sender's credentials. */
export const unknownUser = 0xffff_ffff;
export const noRole = 0;

/** The matchtag of a request without a response. */
export const noMatchtag = 0;

/** The PROTO part: its length in bytes and how it begins. */
export const proto = { bytes: 20, magic: 0x8e, version: 0x01 } as const;
