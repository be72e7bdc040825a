/** Checksummed records in a file: how the log and the snapshots are written, and read back after a cut. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';

const headerBytes = 8;
const maxPayloadBytes = 64 * 1024 * 1024;
const chunkBytes = 4 * 1024 * 1024;

/** One record: length and CRC-32 of the payload as little-endian words, then the payload as UTF-8. */
export function frame(payload: string): Buffer {
  const bytes = Buffer.byteLength(payload);
  const buffer = Buffer.allocUnsafe(headerBytes + bytes);
  buffer.write(payload, headerBytes);
  buffer.writeUInt32LE(bytes, 0);
  buffer.writeUInt32LE(crc32(buffer.subarray(headerBytes)), 4);
  return buffer;
}

/**
 * Calls `use` for each whole record from the start of the file and returns how many bytes they take and the file's size.
 * Reading stops at the first record that is cut short or whose checksum is wrong.
 */
export function readFrames(
  path: string,
  use: (payload: string) => void,
): { readonly good: number; readonly size: number } {
  const file = openSync(path, 'r');
  try {
    const size = fstatSync(file).size;
    let good = 0;
    let buffer = Buffer.alloc(0);
    let position = 0;
    const fill = (wanted: number): boolean => {
      while (buffer.length < wanted) {
        const chunk = Buffer.allocUnsafe(Math.max(chunkBytes, wanted - buffer.length));
        const count = readSync(file, chunk, 0, chunk.length, position);
        if (count === 0) return false;
        position += count;
        buffer = Buffer.concat([buffer, chunk.subarray(0, count)]);
      }
      return true;
    };
    while (fill(headerBytes)) {
      const length = buffer.readUInt32LE(0);
      if (length === 0 || length > maxPayloadBytes || !fill(headerBytes + length)) break;
      const payload = buffer.subarray(headerBytes, headerBytes + length);
      if (crc32(payload) !== buffer.readUInt32LE(4)) break;
      use(payload.toString());
      good += headerBytes + length;
      buffer = buffer.subarray(headerBytes + length);
    }
    return { good, size };
  } finally {
    closeSync(file);
  }
}
