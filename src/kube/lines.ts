/** Cuts a byte stream into lines without ever holding the event loop for long. */
import { setImmediate } from 'node:timers/promises';

export type LineOptions = {
  /** A longer line ends the stream with an error: no server may make us buffer without end. */
  readonly maxBytes?: number;
  /** Work done on lines since the loop last turned; beyond it the loop gets a turn. */
  readonly sliceMilliseconds?: number;
};

/**
 * Yields each complete line, without its newline; blank lines and a last line that was cut off are left out.
 * The time that the consumer takes for a line counts as well, so a burst of thousands of lines can't stall timers.
 */
export async function* lines(
  chunks: AsyncIterable<Buffer>,
  { maxBytes = 64 * 1024 * 1024, sliceMilliseconds = 8 }: LineOptions = {},
): AsyncGenerator<string, void, undefined> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let turn = performance.now();
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      const piece = chunk.subarray(start, end);
      start = end + 1;
      const line = pending.length === 0 ? piece : Buffer.concat([...pending, piece]);
      pending = [];
      pendingBytes = 0;
      if (line.length > 0) yield line.toString('utf8');
      if (performance.now() - turn > sliceMilliseconds) {
        await setImmediate();
        turn = performance.now();
      }
    }
    if (start < chunk.length) {
      pending.push(chunk.subarray(start));
      pendingBytes += chunk.length - start;
      if (pendingBytes > maxBytes) throw new Error(`a line of more than ${maxBytes} bytes`);
    }
  }
}
