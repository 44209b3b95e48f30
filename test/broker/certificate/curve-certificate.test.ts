import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatCertificate, parseCertificate } from '../../../agent/broker/certificate/curve-certificate.ts';
import { createCertificate, isKeyPair } from '../../../agent/broker/certificate/key-pair.ts';
import { byCzmq, byFluxKeygen, testKeys } from '../../support/agent/certificates.ts';

const ours = formatCertificate(createCertificate({ name: 'mc', hostname: 'mc-0.svc', userid: '1000' }));
const z85 = /^[0-9a-zA-Z.:+=^!/*?&<>()[\]{}@%$#-]{40}$/;
/** A line as Flux reads it (flux-core src/common/libzmqutil/cert.c): at most 255 bytes, its newline included. */
const fluxLine = /^(#.*|metadata|curve| {4}[A-Za-z0-9.-]+ = "[A-Za-z0-9.:+=^!/*?&<>()[\]{}@%$# \t-]*"|)$/;

describe('a certificate of our own', () => {
  it('has a pair of X25519 keys in Z85, and is read back as it was made', () => {
    const certificate = createCertificate({ name: 'mc' });
    expect([certificate.publicKey, certificate.secretKey]).toEqual([
      expect.stringMatching(z85),
      expect.stringMatching(z85),
    ]);
    expect(isKeyPair(certificate)).toBe(true);
    expect(parseCertificate(formatCertificate(certificate))).toEqual({ certificate });
  });

  it('has other keys each time', () => {
    expect(createCertificate({}).secretKey).not.toBe(createCertificate({}).secretKey);
  });

  it('holds only lines that Flux reads, whatever the metadata, and keeps all that Flux reads', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.string({ unit: fc.constantFrom(...'aZ09.-_ "#=;\n\r\t\\'), maxLength: 12 }),
      fc.constantFrom('constructor', '__proto__', 'toString', 'a'.repeat(120), 'b'.repeat(254)),
    );
    fc.assert(
      fc.property(fc.dictionary(text, text), (metadata) => {
        const formatted = formatCertificate({ ...testKeys, metadata });
        const lines = formatted.split('\n');
        expect(lines.filter((line) => !fluxLine.test(line) || Buffer.byteLength(line) > 254)).toEqual([]);
        const kept = Object.entries(metadata).filter(([key, value]) => {
          const line = `    ${key} = "${value}"`;
          return fluxLine.test(line) && line.length < 255;
        });
        expect(parseCertificate(formatted)).toEqual({
          certificate: { ...testKeys, metadata: Object.fromEntries(kept) },
        });
      }),
    );
  });
});

describe('parseCertificate', () => {
  it('reads what flux keygen wrote, and it is written again as it was', () => {
    const reading = parseCertificate(byFluxKeygen);
    expect(reading).toEqual({
      certificate: {
        publicKey: 'zE)#]EAT?b!Sp@h*V5[63=N=-037:uR.[58dmY>S',
        secretKey: 'nv-v@h40!:Byh<^qX&5:PSBTNKsY@90LccHikOhr',
        metadata: {
          name: 'mycurve',
          'keygen.flux-core-version': '0.88.0-59-g4a5e79f56',
          'keygen.hostname': 'vm',
          foo: 'bar',
          'keygen.time': '2026-11-24T04:59:02',
          'keygen.userid': '0',
          'keygen.zmq-version': '4.3.4',
        },
      },
    });
    expect('certificate' in reading && isKeyPair(reading.certificate)).toBe(true);
    expect('certificate' in reading && formatCertificate(reading.certificate)).toBe(byFluxKeygen);
  });

  it('reads what CZMQ wrote; the metadata that Flux refuses is not written again, the keys are', () => {
    const reading = parseCertificate(byCzmq);
    if ('damage' in reading) throw new Error(reading.damage);
    expect(reading.certificate).toMatchObject(testKeys);
    expect(Object.keys(reading.certificate.metadata)).toHaveLength(6);
    expect(formatCertificate(reading.certificate).split('\n').slice(3)).toEqual([
      'metadata',
      '    email = "ada@example.org"',
      '    role = "compiles (a lot)"',
      'curve',
      `    public-key = "${testKeys.publicKey}"`,
      `    secret-key = "${testKeys.secretKey}"`,
      '',
    ]);
  });

  const keys = `    public-key = "${testKeys.publicKey}"\n    secret-key = "${testKeys.secretKey}"\n`;

  it.each<[string, string, Record<string, string>]>([
    ['without metadata', `curve\n${keys}`, {}],
    ['with the sections the other way round', `curve\n${keys}metadata\n    a = "b"\n`, { a: 'b' }],
    ['with its secret key first', `curve\n${keys.split('\n').reverse().join('\n')}\n`, {}],
    [
      'with CRLF line ends',
      `metadata\r\n    a = "b"\r\n\r\ncurve\r\n${keys.replaceAll('\n', '\r\n')}`,
      { a: 'b' },
    ],
    ['without its last line end', `curve\n${keys}`.trimEnd(), {}],
    ['indented by tabs', `curve\n${keys.replaceAll('    ', '\t')}`, {}],
    [
      'with other white space around =',
      `metadata\n a="b"\n  c\t=  "d"  \ncurve\n${keys}`,
      { a: 'b', c: 'd' },
    ],
    ['with comments, indented or not', `# x\n   # y = "z"\ncurve\n# x\n${keys}`, {}],
    ['with an empty value', `metadata\n    a = ""\ncurve\n${keys}`, { a: '' }],
    ['with "=" and "#" in a value', `metadata\n    a = "#b=c"\ncurve\n${keys}`, { a: '#b=c' }],
    ['with more keys in its curve section', `curve\n    name = "x"\n${keys}`, {}],
  ])('reads one %s', (_, text, metadata) => {
    expect(parseCertificate(text)).toEqual({ certificate: { ...testKeys, metadata } });
  });

  it('keeps keys that every object has as ordinary ones', () => {
    const reading = parseCertificate(
      `metadata\n    constructor = "a"\n    __proto__ = "b"\n    toString = "c"\ncurve\n${keys}`,
    );
    if ('damage' in reading) throw new Error(reading.damage);
    const { metadata } = reading.certificate;
    expect(Object.entries(metadata)).toEqual([
      ['constructor', 'a'],
      ['__proto__', 'b'],
      ['toString', 'c'],
    ]);
    expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype);
    const written = formatCertificate(reading.certificate);
    expect(written).toContain('metadata\n    constructor = "a"\n    toString = "c"\ncurve\n');
  });

  const sections = 'is neither of the sections metadata and curve';
  const form = 'is not of the form key = "value" inside a section';

  it.each([
    ['nothing', '', 'it has no public-key'],
    ['only comments', '# nothing\n', 'it has no public-key'],
    ['a section called constructor', `constructor\n${keys}`, `line 1 ${sections}`],
    ['a section called __proto__', `__proto__\n${keys}`, `line 1 ${sections}`],
    ['another section', `metadata\ncurves\n${keys}`, `line 2 ${sections}`],
    ['keys before any section', keys, `line 1 ${form}`],
    ['keys that are not indented', `curve\n${keys.replaceAll('    ', '')}`, `line 2 ${sections}`],
    ['keys in the wrong section', `metadata\n${keys}`, 'it has no public-key'],
    ['no secret key', `curve\n${keys.split('\n')[0]}\n`, 'it has no secret-key'],
    ['no public key', `curve\n${keys.split('\n')[1]}\n`, 'it has no public-key'],
    ['a key without quotes', `curve\n${keys.replaceAll('"', '')}`, `line 2 ${form}`],
    ['a key without its last quote', `curve\n${keys.replace('"\n', '\n')}`, `line 2 ${form}`],
    [
      'a key of 39 characters',
      `curve\n${keys.replace('rq:', 'q:')}`,
      'its public-key is not 40 characters of Z85',
    ],
    [
      'a key of 45 characters',
      `curve\n${keys.replace('"J', '"HelloJ')}`,
      'its secret-key is not 40 characters of Z85',
    ],
    [
      'a key outside of Z85',
      `curve\n${keys.replace('rq:', 'rq;')}`,
      'its public-key is not 40 characters of Z85',
    ],
    [
      'a key beyond 32 bits',
      `curve\n${keys.replace('JTKVS', '#####')}`,
      'its secret-key is not 40 characters of Z85',
    ],
    ['an empty key', `curve\n    public-key = ""\n`, 'its public-key is not 40 characters of Z85'],
    ['a binary file', '\u0000\ufffd\u0001', `line 1 ${sections}`],
  ])('takes no text with %s', (_, text, damage) => {
    expect(parseCertificate(text)).toEqual({ damage });
  });

  it.each([
    ['our own', ours],
    ["flux keygen's", byFluxKeygen],
    ["CZMQ's", byCzmq],
    ['one with CRLF line ends', ours.replaceAll('\n', '\r\n')],
  ])('takes %s only when it is complete, wherever it is cut', (_, text) => {
    const complete = text.trimEnd().length;
    for (let end = 0; end <= text.length; end++) {
      const part = parseCertificate(text.slice(0, end));
      expect('certificate' in part, `cut at ${end}`).toBe(end >= complete);
    }
  });

  it('is described by fixed words and a line number, never by a key or a part of one', () => {
    const damaged = fc
      .tuple(fc.constantFrom(ours, byFluxKeygen, byCzmq), fc.nat(), fc.nat(60), fc.string({ maxLength: 3 }))
      .map(([text, at, count, other]) => {
        const start = at % text.length;
        return text.slice(0, start) + other + text.slice(start + count);
      });
    fc.assert(
      fc.property(damaged, (text) => {
        const reading = parseCertificate(text);
        if ('certificate' in reading) return;
        expect(reading.damage).toMatch(
          /^(line \d+ is (neither of the sections metadata and curve|not of the form key = "value" inside a section)|it has no (public|secret)-key|its (public|secret)-key is not 40 characters of Z85)$/,
        );
      }),
      { numRuns: 500 },
    );
  });
});

describe('isKeyPair', () => {
  const other = createCertificate({});

  it.each([
    ['a pair', testKeys, true],
    [
      'the same pair the other way round',
      { publicKey: testKeys.secretKey, secretKey: testKeys.publicKey },
      false,
    ],
    ["the public key of another's", { ...testKeys, publicKey: other.publicKey }, false],
    ['a secret key that is no Z85', { ...testKeys, secretKey: ' '.repeat(40) }, false],
    ['a secret key that is too short', { ...testKeys, secretKey: testKeys.secretKey.slice(5) }, false],
    ['no keys', { publicKey: '', secretKey: '' }, false],
  ])('knows %s', (_, keys, answer) => {
    expect(isKeyPair({ ...keys, metadata: {} })).toBe(answer);
  });
});
