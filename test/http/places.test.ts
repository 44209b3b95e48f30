import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPlaces, type Place, type PlaceLimits } from '../../agent/http/places.ts';

interface Named extends Place {
  readonly name: string;
}

/**
 * Plays what happens to connections: `a1` comes (of address a), `*a1` is fresh, `+a1` asks, `-a1` has its answer, `!a1` goes. Returns who had to give way,
 * in that order.
 */
function play(limits: PlaceLimits, script: string): string {
  const places = createPlaces<Named>(limits);
  const all = new Map<string, Named>();
  const out: string[] = [];
  const enter = (place: Named) => {
    const gone = places.enter(place);
    if (gone) out.push(gone.name);
  };
  for (const word of script.split(' ')) {
    const name = word.replace(/^[-+!*]/, '');
    const place = all.get(name) ?? { name, address: name[0] ?? '', busy: false, fresh: false };
    all.set(name, place);
    if (word.startsWith('+')) place.busy = true;
    else if (word.startsWith('*')) place.fresh = true;
    else if (word.startsWith('!')) places.leave(place);
    else {
      place.busy = false;
      enter(place);
    }
  }
  return out.join(' ');
}

describe('a server whose places are all taken', () => {
  const limits = { connections: 3, perAddress: 2 };
  it.each([
    ['closes none while there is room', 'a1 b1 c1', ''],
    ['closes the one that has been idle for longest', 'a1 b1 c1 d1 d2', 'a1 b1'],
    ['spares one that has a request', 'a1 +a1 b1 c1 d1', 'b1'],
    ['closes the oldest where all have requests', 'a1 +a1 b1 +b1 c1 +c1 d1', 'a1'],
    ['counts idleness from the last answer', 'a1 b1 c1 +a1 -a1 d1', 'b1'],
    ['spares one that has just come, whose request may be unread', 'a1 +a1 b1 +b1 c1 *c1 d1', 'a1'],
    ['never closes the newcomer', 'a1 +a1 b1 +b1 c1 +c1 d1 +d1 e1 +e1', 'a1 b1'],
    ['has room again when one has gone', 'a1 b1 c1 !b1 d1', ''],
    ['frees a place once, whoever says that it is free', 'a1 b1 c1 d1 !a1 !a1 e1', 'a1 b1'],
  ])('%s', (_, script, expected) => {
    expect(play(limits, script)).toBe(expected);
  });

  it.each([
    ['closes its own idle ones', 'a1 a2 a3 a4', 'a1 a2'],
    ['and those of nobody else', 'b1 a1 a2 a3', 'a1'],
    ['and spares those with a request', 'a1 +a1 a2 a3', 'a2'],
  ])('an address that has too many %s', (_, script, expected) => {
    expect(play(limits, script)).toBe(expected);
  });

  it('has no limit by address where none is given', () => {
    expect(play({ connections: 3 }, 'a1 a2 a3 a4')).toBe('a1');
  });

  it('never has more than its limits, takes every newcomer, and drops addresses without connections', () => {
    const step = fc.record({ of: fc.nat(9), what: fc.constantFrom('enter', 'leave', 'ask') });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const places = createPlaces<Named>(limits);
        const all = Array.from({ length: 10 }, (_, n) => ({
          name: `${n}`,
          address: `${n % 3}`,
          busy: false,
          fresh: false,
        }));
        for (const { of, what } of steps) {
          const place = all[of];
          if (!place) continue;
          if (what === 'ask') place.busy = true;
          else if (what === 'leave') places.leave(place);
          else {
            place.busy = false;
            places.enter(place);
            expect(places.all).toContain(place);
          }
          expect(places.all.size).toBeLessThanOrEqual(limits.connections);
          for (const address of ['0', '1', '2'])
            expect([...places.all].filter((each) => each.address === address).length).toBeLessThanOrEqual(2);
        }
      }),
    );
  });
});
