/** Structured log lines: one line an entry, text in klog's form for people, JSON for collectors. */

export type Level = 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** Values may be anything: Kubernetes objects print as `namespace/name`, errors as their message. */
export type Fields = Readonly<Record<string, unknown>>;

export type Log = {
  /** Something failed that a person must look at. */
  readonly error: (message: string, fields?: Fields) => void;
  /** Something failed that heals by itself, or an input was refused. */
  readonly warn: (message: string, fields?: Fields) => void;
  /** A state changed (klog 0 … 2). */
  readonly info: (message: string, fields?: Fields) => void;
  /** Why it did (klog 4). */
  readonly debug: (message: string, fields?: Fields) => void;
  /** Every step (klog 6 and above). */
  readonly trace: (message: string, fields?: Fields) => void;
  readonly enabled: (level: Level) => boolean;
  /** The same log with more fields on each line. */
  readonly child: (fields: Fields) => Log;
};

export type LogOptions = {
  /** Default text. */
  readonly format?: 'text' | 'json' | undefined;
  /** The most talkative level that is written. Default info. */
  readonly level?: Level | undefined;
  /** Takes whole lines. Default: standard error. */
  readonly write?: ((line: string) => void) | undefined;
  readonly now?: (() => Date) | undefined;
  readonly fields?: Fields | undefined;
};

export function createLog(options: LogOptions = {}): Log {
  const { format = 'text', level = 'info', fields = {} } = options;
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const now = options.now ?? (() => new Date());
  const threshold = order[level];
  const entry = (at: Level) => {
    if (order[at] > threshold) return () => {};
    return (message: string, more?: Fields): void => {
      const all = more === undefined ? fields : { ...fields, ...more };
      write(format === 'json' ? jsonLine(at, now(), message, all) : textLine(at, now(), message, all));
    };
  };
  return {
    error: entry('error'),
    warn: entry('warn'),
    info: entry('info'),
    debug: entry('debug'),
    trace: entry('trace'),
    enabled: (at) => order[at] <= threshold,
    child: (more) => createLog({ ...options, fields: { ...fields, ...more } }),
  };
}

/** Drops everything: for callers that were given no log. */
export const silentLog: Log = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  trace: () => {},
  enabled: () => false,
  child: () => silentLog,
};

/** Whether a text is one of the levels, for flags. */
export function isLevel(text: string): text is Level {
  return Object.hasOwn(order, text);
}

const order: Readonly<Record<Level, number>> = { error: 0, warn: 1, info: 2, debug: 3, trace: 4 };
const letters: Readonly<Record<Level, string>> = { error: 'E', warn: 'W', info: 'I', debug: 'D', trace: 'T' };

/** `I1123 04:56:12.123456Z "message" key="value"`. Everything foreign is quoted: a value can't forge a line or a terminal code. */
function textLine(level: Level, at: Date, message: string, fields: Fields): string {
  const iso = at.toISOString();
  let line = `${letters[level]}${iso.slice(5, 7)}${iso.slice(8, 10)} ${iso.slice(11, 23)}Z ${quote(message)}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const plain = printable(value);
    const bare = typeof plain === 'number' || typeof plain === 'boolean';
    line += ` ${key}=${bare ? String(plain) : quote(typeof plain === 'string' ? plain : toJson(plain))}`;
  }
  return `${line}\n`;
}

function jsonLine(level: Level, at: Date, message: string, fields: Fields): string {
  const entry: Record<string, unknown> = { ts: at.toISOString(), level, msg: message };
  for (const [key, value] of Object.entries(fields)) {
    // A field can't replace the entry's own three.
    entry[Object.hasOwn(entry, key) ? `${key}_` : key] = printable(value);
  }
  return `${toJson(entry)}\n`;
}

function quote(text: string): string {
  // JSON leaves DEL and the C1 controls as they are; some terminals act on them.
  return JSON.stringify(text).replaceAll(/[\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function printable(value: unknown): unknown {
  if (value instanceof Error) return errorText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(printable);
  const { metadata } = value as { metadata?: { name?: unknown; namespace?: unknown } };
  if (typeof metadata?.name !== 'string') return value;
  return typeof metadata.namespace === 'string' ? `${metadata.namespace}/${metadata.name}` : metadata.name;
}

function errorText(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause.message : undefined;
  return cause === undefined || error.message.includes(cause) ? error.message : `${error.message}: ${cause}`;
}

function toJson(value: unknown): string {
  try {
    return JSON.stringify(value, (_, inner: unknown) =>
      typeof inner === 'bigint' ? inner.toString() : inner,
    );
  } catch {
    return '"(a value that refers to itself)"';
  }
}
