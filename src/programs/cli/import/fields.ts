/** Reading a foreign object so that no field is passed over in silence. */

/** Something of an object that could not be taken over, or (`isNote`) was taken over a little differently. */
export type Finding = {
  /** `Kind name` or `Kind namespace/name`. */
  readonly object: string;
  /** '' for the object as a whole. */
  readonly field: string;
  readonly reason: string;
  readonly isNote?: true;
};

export type Report = {
  readonly findings: readonly Finding[];
  lost(object: string, field: string, reason: string): undefined;
  note(object: string, field: string, reason: string): undefined;
};

export type Fields = {
  /** Takes a field, so that `close` does not report it. */
  take(name: string): unknown;
  /** A text that is not empty. */
  text(name: string): string | undefined;
  /** The texts of a list; anything else in it is reported. */
  texts(name: string): readonly string[];
  /** Takes a field that may only say one of these things, or nothing; else it is reported. */
  only(name: string, allowed: readonly unknown[], reason: string): void;
  /** Takes a field and reports it if it asks for something. */
  refuse(name: string, reason: string): void;
  lost(name: string, reason: string): undefined;
  note(name: string, reason: string): undefined;
  /** Reports every field that nobody took and that asks for something. */
  close(reason: string): void;
};

export function createReport(): Report {
  const findings: Finding[] = [];
  const told = new Set<string>();
  const tell = (finding: Finding): undefined => {
    const text = JSON.stringify(finding);
    if (!told.has(text)) findings.push(finding);
    told.add(text);
  };
  return {
    findings,
    lost: (object, field, reason) => tell({ object, field, reason }),
    note: (object, field, reason) => tell({ object, field, reason, isNote: true }),
  };
}

/** `path` stands before each field's name: `spec`. What is no object has no fields. */
export function openFields(value: unknown, object: string, path: string, report: Report): Fields {
  const source = isRecord(value) ? value : {};
  const taken = new Set<string>();
  const at = (name: string) => (path === '' ? name : `${path}.${name}`);
  const take = (name: string): unknown => {
    taken.add(name);
    return Object.hasOwn(source, name) ? source[name] : undefined;
  };
  const lost = (name: string, reason: string) => report.lost(object, at(name), reason);
  return {
    take,
    text(name) {
      const found = take(name);
      if (typeof found === 'string') return found.trim() === '' ? undefined : found.trim();
      if (typeof found === 'number') return String(found);
      return isOff(found) ? undefined : lost(name, 'is no text');
    },
    texts(name) {
      const found = take(name);
      if (isOff(found)) return [];
      if (!Array.isArray(found)) return lost(name, 'is no list') ?? [];
      return found.flatMap((each: unknown, index) =>
        typeof each === 'string' ? [each] : (lost(`${name}[${index}]`, 'is no text') ?? []),
      );
    },
    only(name, allowed, reason) {
      const found = take(name);
      if (!isOff(found) && !allowed.includes(found)) lost(name, reason);
    },
    refuse(name, reason) {
      if (!isOff(take(name))) lost(name, reason);
    },
    lost,
    note: (name, reason) => report.note(object, at(name), reason),
    close(reason) {
      for (const [name, found] of Object.entries(source)) {
        if (!taken.has(name) && !isOff(found)) lost(name, reason);
      }
    },
  };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Asks for nothing: false, 0, an empty text, list or object. */
export function isOff(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return true;
  return Array.isArray(value) ? value.length === 0 : isRecord(value) && Object.keys(value).length === 0;
}
