/** Makes X.509 v3 certificates (RFC 5280) with EC P-256 keys: the few DER shapes that a small cluster PKI needs. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import { addrBytes, parseAddr } from '#net/addr.ts';

/** PEM texts; the key is PKCS#8. */
export type KeyPair = { readonly certificate: string; readonly key: string };

export type CertificateRequest = {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
} & (
  | { readonly use: 'authority' }
  | { readonly use: 'client' }
  /** DNS names and addresses. */
  | { readonly use: 'server'; readonly names: readonly string[] }
);

/** A new key and its certificate, signed by `authority` or, for `use: 'authority'`, by itself. */
export function makeCertificate(request: CertificateRequest, authority?: KeyPair): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = authority === undefined ? privateKey : createPrivateKey(authority.key);
  const issuerKey = createPublicKey(signer);
  const subject = distinguishedName(request);
  const issuer = authority === undefined ? subject : subjectOf(authority.certificate);
  const body = sequence(
    tagged(0, integer(Buffer.from([2]))),
    integer(serialNumber()),
    ecdsaWithSha256,
    issuer,
    sequence(time(request.notBefore), time(request.notAfter)),
    subject,
    spki(publicKey),
    tagged(3, sequence(...extensions(request, publicKey, issuerKey))),
  );
  const signature = sign('sha256', body, signer);
  return {
    certificate: pem('CERTIFICATE', sequence(body, ecdsaWithSha256, bitString(signature))),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function extensions(request: CertificateRequest, key: KeyObject, issuerKey: KeyObject): Buffer[] {
  const authority = request.use === 'authority';
  const list = [
    extension('2.5.29.19', true, sequence(...(authority ? [booleanTrue] : []))),
    // keyUsage bits: digitalSignature, and for an authority keyCertSign and cRLSign.
    extension('2.5.29.15', true, authority ? der(3, Buffer.from([1, 0x86])) : der(3, Buffer.from([7, 0x80]))),
    extension('2.5.29.14', false, octetString(keyIdentifier(key))),
    extension('2.5.29.35', false, sequence(der(0x80, keyIdentifier(issuerKey)))),
  ];
  if (!authority) {
    const purpose = request.use === 'server' ? '1.3.6.1.5.5.7.3.1' : '1.3.6.1.5.5.7.3.2';
    list.push(extension('2.5.29.37', false, sequence(objectIdentifier(purpose))));
  }
  if (request.use === 'server') {
    list.push(extension('2.5.29.17', false, sequence(...request.names.map(generalName))));
  }
  return list;
}

function extension(identifier: string, critical: boolean, value: Buffer): Buffer {
  return sequence(objectIdentifier(identifier), ...(critical ? [booleanTrue] : []), octetString(value));
}

function generalName(name: string): Buffer {
  const address = parseAddr(name);
  return address === undefined ? der(0x82, Buffer.from(name)) : der(0x87, Buffer.from(addrBytes(address)));
}

/** Order O then CN, as kubeadm writes it. */
function distinguishedName(request: CertificateRequest): Buffer {
  const attribute = (identifier: string, value: string): Buffer =>
    der(0x31, sequence(objectIdentifier(identifier), der(0x0c, Buffer.from(value))));
  return sequence(
    ...(request.organizations ?? []).map((name) => attribute('2.5.4.10', name)),
    attribute('2.5.4.3', request.commonName),
  );
}

/** The subject's DER, cut out of a certificate: the sixth field of tbsCertificate. */
function subjectOf(certificate: string): Buffer {
  const [toBeSigned] = children(new X509Certificate(certificate).raw);
  return children(toBeSigned!)[5]!;
}

/** The elements inside a constructed one. */
function children(element: Buffer): Buffer[] {
  const { start, end } = extent(element, 0);
  const list: Buffer[] = [];
  for (let offset = start; offset < end; ) {
    const next = extent(element, offset);
    list.push(element.subarray(offset, next.end));
    offset = next.end;
  }
  return list;
}

function extent(bytes: Buffer, offset: number): { readonly start: number; readonly end: number } {
  const first = bytes[offset + 1]!;
  if (first < 0x80) return { start: offset + 2, end: offset + 2 + first };
  const count = first & 0x7f;
  const start = offset + 2 + count;
  return { start, end: start + bytes.readUIntBE(offset + 2, count) };
}

/** RFC 5280 §4.1.2.2: positive, at most 20 octets. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes;
}

function spki(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

/** RFC 5280 §4.2.1.2 method 1: SHA-1 of the public key's bits, which end the structure (an uncompressed P-256 point). */
function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1').update(spki(key).subarray(-65)).digest();
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >>> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

function sequence(...items: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(items));
}

function tagged(number: number, content: Buffer): Buffer {
  return der(0xa0 | number, content);
}

function integer(bytes: Buffer): Buffer {
  return der(2, bytes);
}

function bitString(bytes: Buffer): Buffer {
  return der(3, Buffer.concat([Buffer.from([0]), bytes]));
}

function octetString(bytes: Buffer): Buffer {
  return der(4, bytes);
}

function objectIdentifier(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return der(6, Buffer.from(bytes));
}

/** UTCTime until 2049, as RFC 5280 §4.1.2.5 wants it. */
function time(date: Date): Buffer {
  const text = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
}

const booleanTrue = der(1, Buffer.from([0xff]));
const ecdsaWithSha256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
