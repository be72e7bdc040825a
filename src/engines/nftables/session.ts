/** The table of this engine, written and read by nft. */
import { type NftCommands, openNftCommands } from './commands.ts';
import { type Operation, printOperation, type Ruleset, tableName } from './objects.ts';
import { createListingParser } from './parse.ts';

export { NftError } from './commands.ts';

/** The kernel's table, as this engine uses it. The fake is one, too. */
export interface Nft {
  /** All operations or none. Throws NftError. */
  commit(operations: readonly Operation[]): Promise<void>;
  /** The table with its elements; undefined when there is none. */
  read(): Promise<Ruleset | undefined>;
  /** Key and data of a map's elements. */
  readElements(map: string): Promise<ReadonlyMap<string, string>>;
  /** Packets of each counter of the table. */
  readCounters(): Promise<ReadonlyMap<string, number>>;
  close(): Promise<void>;
}

export type NftSession = Nft & Pick<NftCommands, 'pid'>;

/** `command`: what stands before `nft` to reach its namespaces, for example `['nsenter', '-t', '1', '-n', '--']`. */
export function openNftSession(command: readonly string[] = []): NftSession {
  const commands = openNftCommands(command);
  const list = (what: string, line: (text: string) => void) =>
    commands.list(['-s', '-p', '-y', 'list', ...what.split(' ')], line);
  return {
    get pid() {
      return commands.pid;
    },
    commit: (operations) => commands.commit(operations.map(printOperation)),
    async read() {
      const parser = createListingParser();
      return (await list(`table ${tableName}`, parser.line)) ? parser.end() : undefined;
    },
    async readElements(map) {
      const parser = createListingParser();
      await list(`map ${tableName} ${map}`, parser.line);
      return parser.end().elements.get(map) ?? new Map();
    },
    async readCounters() {
      const counts = new Map<string, number>();
      let name = '';
      const line = (text: string) => {
        name = /^\s*counter (\w+) \{/.exec(text)?.[1] ?? name;
        const packets = /^\s*packets (\d+) /.exec(text)?.[1];
        if (packets !== undefined) counts.set(name, Number(packets));
      };
      // With state: it is what is asked for.
      await commands.list(['-p', '-y', 'list', 'counters', 'table', ...tableName.split(' ')], line);
      return counts;
    },
    close: () => commands.close(),
  };
}
