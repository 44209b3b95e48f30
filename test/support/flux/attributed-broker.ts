import type { FakeBrokerOptions } from './fake-broker.ts';

const [ENOENT, EAGAIN, ENODATA] = [2, 11, 61];
const runs = 5;

/** A broker with these attributes. Its log distinguishes the owner from other users: ENODATA ends it. */
export function brokerWith(
  attributes: Readonly<Record<string, string>>,
  { state = 'run', log = ENODATA } = {},
): FakeBrokerOptions {
  return {
    onRequest: (request, { respond }) => {
      if (request.topic === 'state-machine.get') return respond(request, { state, duration: 100 });
      if (request.topic === 'state-machine.monitor')
        return respond(request, { state: runs }, state === 'run' ? 0 : EAGAIN);
      if (request.topic === 'log.dmesg') return respond(request, undefined, log);
      if (request.topic !== 'attr.get') return;
      const { name } = JSON.parse(
        Buffer.from(request.payload ?? [])
          .toString()
          .replace(/\0$/, ''),
      );
      const value = attributes[name];
      if (value === undefined) respond(request, undefined, ENOENT);
      else respond(request, { value, flags: 1 });
    },
  };
}
