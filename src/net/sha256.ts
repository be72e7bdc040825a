/** SHA-256 (FIPS 180-4) of short texts, for orders on which every node must agree; pure. */

const initial = Int32Array.of(
  0x6a09_e667,
  0xbb67_ae85,
  0x3c6e_f372,
  0xa54f_f53a,
  0x510e_527f,
  0x9b05_688c,
  0x1f83_d9ab,
  0x5be0_cd19,
);
const constants = roundConstants();
/** Memory of one block's schedule: there is one thread, and nothing in between. */
const schedule = new Int32Array(64);
const encoder = new TextEncoder();

/** Hexadecimal digits of the hash of a text in UTF-8. */
export function sha256(text: string): string {
  const words = padded(encoder.encode(text));
  const state = initial.slice();
  for (let at = 0; at < words.length; at += 16) compress(state, words, at);
  let digits = '';
  for (const word of state) digits += (word >>> 0).toString(16).padStart(8, '0');
  return digits;
}

function padded(bytes: Uint8Array): Int32Array {
  const { length } = bytes;
  const words = new Int32Array(16 * Math.ceil((length + 9) / 64));
  for (let at = 0; at < length; at++) words[at >> 2]! |= bytes[at]! << (24 - 8 * (at & 3));
  words[length >> 2]! |= 0x80 << (24 - 8 * (length & 3));
  words[words.length - 1] = 8 * length;
  return words;
}

/** Without a single allocation: this is called a million times where a thousand nodes have a thousand addresses. */
function compress(state: Int32Array, words: Int32Array, at: number): void {
  const w = schedule;
  for (let t = 0; t < 16; t++) w[t] = words[at + t]!;
  for (let t = 16; t < 64; t++) {
    const x = w[t - 15]!;
    const y = w[t - 2]!;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[t] = (w[t - 16]! + s0 + w[t - 7]! + s1) | 0;
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  for (let t = 0; t < 64; t++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const one = (h + s1 + ((e & f) ^ (~e & g)) + constants[t]! + w[t]!) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const two = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + one) | 0;
    d = c;
    c = b;
    b = a;
    a = (one + two) | 0;
  }
  state[0] = state[0]! + a;
  state[1] = state[1]! + b;
  state[2] = state[2]! + c;
  state[3] = state[3]! + d;
  state[4] = state[4]! + e;
  state[5] = state[5]! + f;
  state[6] = state[6]! + g;
  state[7] = state[7]! + h;
}

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
function roundConstants(): Int32Array {
  const found: number[] = [];
  for (let n = 2; found.length < 64; n++) {
    let isPrime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) isPrime = false;
    if (isPrime) found.push(Number(cubeRoot(BigInt(n) << 96n) & 0xffff_ffffn));
  }
  return Int32Array.from(found);
}

/** The largest whole number whose cube is no more. */
function cubeRoot(n: bigint): bigint {
  let root = 0n;
  for (let bit = 1n << 36n; bit > 0n; bit >>= 1n) if ((root | bit) ** 3n <= n) root |= bit;
  return root;
}
