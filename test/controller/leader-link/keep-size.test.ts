import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { messageHeader } from '../../../agent/link/protocol.ts';
import { systemClock } from '../../../controller/kubernetes/controller-clock.ts';
import { createLeaders, type LeadersOptions } from '../../../controller/leader-link/leaders.ts';
import { jobs, key, startLeader } from '../../support/agent/controller-links.ts';
import { listening, patient } from '../../support/agent/parent-links.ts';
import { patience } from '../../support/agent/raw-client.ts';

const poll = <T>(read: () => T) => expect.poll(read, patience);
const facts = { brokersOnline: 2, jobs: jobs(0) };

function startLeaders(options: Partial<LeadersOptions> = {}) {
  const refused: [string, number][] = [];
  const leaders = createLeaders({
    holder: 'test',
    onChange: () => undefined,
    onFailure: () => undefined,
    onRefused: (...what) => refused.push(what),
    reportMs: 1,
    backoff: { first: 1, most: 20 },
    deadlines: patient,
    ...options,
  });
  return { ...leaders, refused, [Symbol.dispose]: leaders.close };
}
const targetOf = ({ host, port }: { host: string; port: number }, uid = 'a') => ({ host, port, uid, key });

describe('a size that a leader is to keep', () => {
  it('is asked for once the link is open, and for another one again', async () => {
    await using agent = await startLeader({ facts });
    using leaders = startLeaders();
    leaders.follow('hpc/mc', targetOf(agent));
    for (let n = 0; n < 5; n++) leaders.keep('hpc/mc', 3);
    await poll(() => agent.kept).toEqual([3]);
    for (const size of [3, 2, 2, 4]) leaders.keep('hpc/mc', size);
    await poll(() => agent.kept.at(-1)).toBe(4);
    expect(agent.kept.filter((size) => size === 3)).toHaveLength(1);
  });

  it('is asked for again over the link that follows a broken one: the leader may have forgotten it', async () => {
    const agent = await startLeader({ facts });
    using leaders = startLeaders();
    leaders.follow('hpc/mc', targetOf(agent));
    leaders.keep('hpc/mc', 3);
    await poll(() => agent.kept).toEqual([3]);
    await agent[Symbol.asyncDispose]();
    await using again = await startLeader({ port: agent.port, facts });
    await poll(() => again.kept).toEqual([3]);
  });

  it('is that of one leader: another pod is asked for what is said of it', async () => {
    await using agent = await startLeader({ facts });
    using leaders = startLeaders();
    leaders.follow('hpc/mc', targetOf(agent));
    leaders.keep('hpc/mc', 3);
    await poll(() => agent.kept).toEqual([3]);
    leaders.follow('hpc/mc', targetOf(agent, 'another pod'));
    leaders.keep('hpc/mc', 3);
    await poll(() => agent.kept).toEqual([3, 3]);
    leaders.follow('hpc/mc', undefined);
    leaders.keep('hpc/mc', 2);
    leaders.keep('hpc/other', 2);
    // A controller that has yet to open its link is heard after what was asked for before.
    using later = startLeaders({ holder: 'later' });
    later.follow('hpc/mc', targetOf(agent));
    later.keep('hpc/mc', 4);
    await poll(() => agent.kept.at(-1)).toBe(4);
    expect(agent.kept).toEqual([3, 3, 4]);
  });

  it('is told of where the leader takes no such request, once for each size', async () => {
    await using agent = await startLeader({ facts, isElastic: false });
    using leaders = startLeaders();
    leaders.follow('hpc/mc', targetOf(agent));
    leaders.keep('hpc/mc', 3);
    await poll(() => leaders.refused).toEqual([['hpc/mc', 3]]);
    leaders.keep('hpc/mc', 3);
    leaders.keep('hpc/mc', 2);
    await poll(() => leaders.refused).toEqual([
      ['hpc/mc', 3],
      ['hpc/mc', 2],
    ]);
  });

  it('is asked for again after a time, where the answer was lost on an open link', async () => {
    await using agent = await startLeader({ facts });
    let lost = 0;
    await using between = await listening(
      createServer((request, response) => {
        // The first answer to a message is lost, and nothing else.
        if (messageHeader in request.headers && lost++ === 0) return void response.destroy();
        agent.serve(request, response);
      }),
    );
    const waits: (() => void)[] = [];
    const clock = {
      ...systemClock,
      after: (_: number, act: () => void) => {
        waits.push(act);
        return () => undefined;
      },
    };
    using leaders = startLeaders({ clock });
    leaders.follow('hpc/mc', targetOf(between));
    leaders.keep('hpc/mc', 3);
    await poll(() => waits.length).toBe(1);
    expect(agent.kept).toEqual([]);
    waits[0]?.();
    await poll(() => agent.kept).toEqual([3]);
  });

  it('comes back as freed in the leader’s report', async () => {
    await using agent = await startLeader({ facts });
    using leaders = startLeaders();
    const follow = () => leaders.follow('hpc/mc', targetOf(agent));
    follow();
    await poll(follow).toEqual(facts);
    agent.change({ freed: 3 });
    await poll(follow).toEqual({ ...facts, freed: 3 });
    agent.change({ freed: undefined });
    await poll(follow).toEqual(facts);
  });
});
