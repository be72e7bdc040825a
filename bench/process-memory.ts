/** How much memory a set of processes takes, as if nothing else on the machine ran the same programs. */

/** Bytes, read from /proc/PID/smaps. */
export type Mapping = {
  /** File, or empty where nothing is shared with other processes by name. */
  readonly file: string;
  readonly resident: number;
  readonly private: number;
};

export type ProcessMemory = {
  /** Proportional set size of a machine on which only these processes run: what is private, and what they share once. */
  readonly proportional: number;
  /** Sum of the resident set sizes: shared pages count in each. */
  readonly resident: number;
};

/** `smaps`: the text of /proc/PID/smaps of each process; pure. */
export function memoryOf(smaps: readonly string[]): ProcessMemory {
  const processes = smaps.map(readMappings);
  const all = processes.flat();
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  // The kernel's own PSS would share the runtime's pages with whatever else runs Node on this machine.
  const shared = new Map<string, number>();
  for (const mappings of processes) {
    for (const [file, bytes] of Map.groupBy(mappings, ({ file }) => file)) {
      const here = sum(bytes.map((each) => each.resident - each.private));
      shared.set(file, Math.max(shared.get(file) ?? 0, here));
    }
  }
  return {
    proportional: sum(all.map((each) => each.private)) + sum([...shared.values()]),
    resident: sum(all.map((each) => each.resident)),
  };
}

function readMappings(text: string): Mapping[] {
  const mappings: Mapping[] = [];
  for (const block of text.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
    const file = /^\S+ \S+ \S+ \S+ \d+ +(\/.*)$/m.exec(block)?.[1] ?? '';
    const bytes = (key: string) =>
      Number(new RegExp(`^${key}: +(\\d+) kB`, 'm').exec(block)?.[1] ?? 0) * 1024;
    if (block.trim() === '') continue;
    mappings.push({ file, resident: bytes('Rss'), private: bytes('Private_Clean') + bytes('Private_Dirty') });
  }
  return mappings;
}
