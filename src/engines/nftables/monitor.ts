/** Notices changes of the table that this engine didn't make: `nft monitor`, and the name that the kernel keeps of who did it. */
import { basename } from 'node:path';
import { type LineProcess, openLineProcess } from '#system/process.ts';
import { paths } from '#system/registry.ts';
import { tableName } from './objects.ts';
import { commandLine } from './session.ts';

export type ForeignEvent = {
  /** Program and process ID, for example `nft[4711]`; a reason when it isn't known. */
  readonly by: string;
  /** The first events, in nft's language. */
  readonly events: readonly string[];
};

export type Monitor = { close(): Promise<void> };

const ours = basename(paths.nftLink.value);
const restartDelay = 500;
const keptEvents = 5;

/**
 * Each transaction ends with `# new generation N by process P (NAME)`. Ours run under their own name, so any other name with an
 * event in our table is a foreign change. What the packet path learns makes no event. Lost events count as a foreign change.
 */
export function openMonitor(command: readonly string[], onForeign: (event: ForeignEvent) => void): Monitor {
  let child: LineProcess | undefined;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let events: string[] = [];

  function line(text: string): void {
    if (text.startsWith('# new generation')) {
      const who = /by process (\d+) \(([^)]*)\)/.exec(text);
      if (events.length > 0 && who?.[2] !== ours) {
        onForeign({ by: who === null ? 'unknown' : `${who[2]}[${who[1]}]`, events });
      }
      events = [];
    } else if (text.includes('ERROR')) onForeign({ by: 'unknown: events were lost', events: [text] });
    else if (events.length < keptEvents && mentionsTable.test(text)) events.push(text);
  }

  function start(): void {
    // The system's own name for nft: it only listens.
    const [file, args] = commandLine(command, 'nft', 'monitor');
    child = openLineProcess(file, args, {
      onStdout: line,
      onStderr: line,
      onExit: () => {
        if (closed) return;
        events = [];
        timer = setTimeout(() => {
          start();
          onForeign({ by: 'unknown: nft monitor had ended', events: [] });
        }, restartDelay);
        timer.unref();
      },
    });
  }

  start();
  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      child?.kill('SIGTERM');
      await child?.close();
    },
  };
}

const mentionsTable = new RegExp(`^\\w+ \\w+ ${tableName}\\b`);
