/** The CRI log format: one line `TIME STREAM P|F TEXT` a piece of output; pure. */

export type LogStream = 'stdout' | 'stderr';

export type LogEntry = {
  readonly time: string;
  readonly stream: LogStream;
  /** False: the line goes on in the stream's next entry. */
  readonly full: boolean;
  readonly text: string;
};

/** Longer lines are cut into partial entries, as other runtimes cut them. */
export const maxEntryBytes = 16 * 1024;

/** Turns a stream's bytes into log lines. Byte-wise, so a character that two reads share stays whole. */
export function createLogFormatter(
  stream: LogStream,
  now: () => string,
): {
  write(chunk: Buffer): Buffer;
  /** What is left without a newline. */
  end(): Buffer;
} {
  let rest = Buffer.alloc(0);
  const entry = (text: Buffer, full: boolean): Buffer =>
    Buffer.concat([Buffer.from(`${now()} ${stream} ${full ? 'F' : 'P'} `), text, newline]);
  return {
    write(chunk) {
      const out: Buffer[] = [];
      let data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (let at = data.indexOf(10); at >= 0 || data.length > maxEntryBytes; at = data.indexOf(10)) {
        if (at < 0 || at > maxEntryBytes) {
          out.push(entry(data.subarray(0, maxEntryBytes), false));
          data = data.subarray(maxEntryBytes);
        } else {
          out.push(entry(data.subarray(0, at), true));
          data = data.subarray(at + 1);
        }
      }
      rest = Buffer.from(data);
      return Buffer.concat(out);
    },
    end() {
      const out = rest.length === 0 ? rest : entry(rest, false);
      rest = Buffer.alloc(0);
      return out;
    },
  };
}

const newline = Buffer.from('\n');

/** One line of a log file, without its newline; undefined when it is none. */
export function parseLogLine(line: string): LogEntry | undefined {
  const match = /^(\S+) (stdout|stderr) ([PF])(?::\S*)? ?(.*)$/s.exec(line);
  if (match === null) return undefined;
  const [, time = '', stream, tag, text = ''] = match;
  return { time, stream: stream as LogStream, full: tag === 'F', text };
}

/** RFC 3339 with nanoseconds, as log lines carry it. */
export function logTimestamp(): string {
  const milliseconds = performance.timeOrigin + performance.now();
  const below = Math.floor((milliseconds % 1) * 1e6);
  return new Date(milliseconds).toISOString().replace('Z', `${String(below).padStart(6, '0')}Z`);
}

export type LogQuery = {
  readonly timestamps?: boolean;
  readonly tailLines?: number;
  /** Milliseconds since 1970: entries before it are left out. */
  readonly since?: number;
};

/** What a user sees of an entry. */
export function showEntry(entry: LogEntry, query: LogQuery): string {
  const end = entry.full ? '\n' : '';
  return query.timestamps === true ? `${entry.time} ${entry.text}${end}` : `${entry.text}${end}`;
}

/** The entries that a query asks for of all that are there. */
export function selectEntries(entries: readonly LogEntry[], query: LogQuery): readonly LogEntry[] {
  const recent = query.since === undefined ? entries : entries.filter((entry) => isSince(entry, query));
  if (query.tailLines === undefined) return recent;
  let lines = 0;
  for (let index = recent.length - 1; index >= 0; index -= 1) {
    if (recent[index]?.full === true || index === recent.length - 1) lines += 1;
    if (lines > query.tailLines) return recent.slice(index + 1);
  }
  return recent;
}

export function isSince(entry: LogEntry, query: LogQuery): boolean {
  return query.since === undefined || Date.parse(entry.time.replace(/(\.\d{3})\d*/, '$1')) >= query.since;
}
