/** Container logs: from the container's pipes into CRI log files, and from there to readers. */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { dirname } from 'node:path';
import {
  createLogFormatter,
  isSince,
  type LogEntry,
  type LogQuery,
  type LogStream,
  logTimestamp,
  parseLogLine,
  selectEntries,
  showEntry,
} from './logformat.ts';

export type LogWriter = {
  /** Every entry from now on. Gives the function that ends it. */
  follow(onEntry: (entry: LogEntry) => void, onEnd: () => void): () => void;
  /** Resolves when both pipes ended, or after `milliseconds`: a process that was left behind may hold them. */
  drained(milliseconds: number): Promise<void>;
  /** Both pipes ended: nobody is left who could write. */
  isOver(): boolean;
  close(): void;
};

/** A file grows to this size and is kept once more: a container never fills the disk. */
const rotateBytes = 10 * 1024 * 1024;
const streams: readonly LogStream[] = ['stdout', 'stderr'];

/**
 * Opens the pipes `stdout` and `stderr` in `bundle` and appends what comes to `file`. Writes are synchronous, so that a reader
 * who reads the file and then follows misses nothing and sees nothing twice.
 */
export function openLogWriter(bundle: string, file: string): LogWriter {
  mkdirSync(dirname(file), { recursive: true });
  let fd = openSync(file, 'a', 0o640);
  let size = fstatSync(fd).size;
  const followers = new Map<(entry: LogEntry) => void, () => void>();
  const append = (lines: Buffer): void => {
    if (lines.length === 0 || fd < 0) return;
    writeSync(fd, lines);
    size += lines.length;
    if (followers.size > 0) {
      for (const entry of parseLog(lines.toString()))
        for (const follower of followers.keys()) follower(entry);
    }
    if (size < rotateBytes) return;
    closeSync(fd);
    renameSync(file, `${file}.old`);
    fd = openSync(file, 'a', 0o640);
    size = 0;
  };
  const sockets: Socket[] = [];
  const ended = streams.map((stream) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const formatter = createLogFormatter(stream, logTimestamp);
    const pipe = openSync(`${bundle}/${stream}`, constants.O_RDONLY | constants.O_NONBLOCK);
    const socket = new Socket({ fd: pipe, readable: true, writable: false });
    sockets.push(socket);
    socket.on('data', (chunk: Buffer) => append(formatter.write(chunk)));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      append(formatter.end());
      resolve();
    });
    return promise;
  });
  let over = false;
  void Promise.all(ended).then(() => {
    over = true;
  });
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    const ends = [...followers.values()];
    followers.clear();
    for (const end of ends) end();
    if (fd >= 0) closeSync(fd);
    fd = -1;
  };
  return {
    follow(onEntry, onEnd) {
      followers.set(onEntry, onEnd);
      return () => void followers.delete(onEntry);
    },
    async drained(milliseconds) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, milliseconds);
      await Promise.race([Promise.all(ended), promise]);
      clearTimeout(timer);
    },
    isOver: () => over,
    close,
  };
}

export type LogReader = {
  readonly file: string;
  /** Of the running container; undefined once it has ended. */
  readonly writer: LogWriter | undefined;
};

/** Sends what is there, then, with `follow`, what comes, until the container ends or the signal aborts. */
export async function readLogs(
  { file, writer }: LogReader,
  query: LogQuery & { readonly follow?: boolean; readonly limitBytes?: number },
  send: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let left = query.limitBytes ?? Number.POSITIVE_INFINITY;
  const { promise, resolve } = Promise.withResolvers<void>();
  const show = (entry: LogEntry): void => {
    if (left <= 0) return;
    const text = Buffer.from(showEntry(entry, query));
    send(text.subarray(0, Math.min(text.length, left)).toString());
    left -= text.length;
    if (left <= 0) resolve();
  };
  for (const entry of selectEntries(parseLog(readBoth(file)), query)) show(entry);
  if (query.follow !== true || writer === undefined || left <= 0 || signal.aborted) return;
  const stop = writer.follow((entry) => {
    if (isSince(entry, query)) show(entry);
  }, resolve);
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  stop();
}

/** The last lines of a container's output, for its termination message. */
export function logTail(file: string, lines: number): string {
  const entries = selectEntries(parseLog(readBoth(file)), { tailLines: lines });
  return entries.map((entry) => showEntry(entry, {})).join('');
}

function readBoth(file: string): string {
  return [`${file}.old`, file].map((path) => (existsSync(path) ? readFileSync(path, 'utf8') : '')).join('');
}

function parseLog(text: string): readonly LogEntry[] {
  return text.split('\n').flatMap((line) => parseLogLine(line) ?? []);
}
