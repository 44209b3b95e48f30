/** Groups of brokers (flux-core src/modules/groups): rank 0 keeps the members. */
import { constants } from 'node:os';
import { formatIdset, parseIdset } from '../../../agent/cluster/idset.ts';
import type { BrokerConfig } from './broker-options.ts';
import type { Router } from './message-router.ts';

/** Rank 0 keeps the groups; its set `online` is the group broker.online, and `onChange` is called when a group has changed. */
export function serveGroups(
  { rank }: BrokerConfig,
  router: Router,
  keeper?: { readonly online: Set<number>; readonly onChange: () => void },
): undefined {
  const topic = 'groups.get';
  if (rank !== 0 || !keeper) {
    router.serve(topic, ({ fail }) => fail(constants.errno.EPROTO, 'this RPC is only available on rank 0'));
    return;
  }
  const groups = new Map([['broker.online', keeper.online]]);
  const group = (name: unknown): Set<number> => {
    const found = groups.get(String(name)) ?? new Set();
    groups.set(String(name), found);
    return found;
  };
  const members = (name: unknown) => ({ members: formatIdset(group(name)) });
  router.serve(topic, ({ payload, respond, keep }) => {
    keep();
    respond(members(payload.name));
  });
  const change = (verb: 'join' | 'leave', act: (set: Set<number>, rank: number) => void) =>
    router.serve(`groups.${verb}`, ({ payload, respond }) => {
      const before = members(payload.name).members;
      for (const one of parseIdset(String(payload.ranks))) act(group(payload.name), one);
      respond();
      if (members(payload.name).members === before) return;
      for (const other of router.kept(topic))
        if (other.payload.name === payload.name) other.respond(members(payload.name));
      keeper.onChange();
    });
  change('join', (set, one) => set.add(one));
  change('leave', (set, one) => set.delete(one));
}

/** Sends rank 0 who has joined or left. */
export function changeOnline(router: Router, verb: 'join' | 'leave', ranks: readonly number[]): void {
  const payload = { name: 'broker.online', ranks: formatIdset(ranks) };
  router.channel.rpc(`groups.${verb}`, payload, { nodeid: 0 }).catch(() => undefined);
}
