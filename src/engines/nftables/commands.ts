/** nft as a child process: one that stays open for small transactions, one that ends for large ones and for listings. */
import { type MemoryFile, openMemoryFile } from '#system/memory-file.ts';
import { type LineProcess, openLineProcess, run } from '#system/process.ts';
import { takeAlong } from '#system/realtime.ts';
import { paths } from '#system/registry.ts';

/** Statements of nft's language, whatever table they are about. */
export type NftCommands = {
  /** All statements or none. Throws NftError. */
  commit(statements: readonly string[]): Promise<void>;
  /** `nft OPTIONS list WHAT`, line by line; false when there is no such thing. */
  list(what: readonly string[], line: (text: string) => void): Promise<boolean>;
  /** Process ID of the child that stays open; undefined when none runs. */
  readonly pid: number | undefined;
  close(): Promise<void>;
};

/** nft refused a transaction (nothing of it holds) or died (all or nothing of it holds: read to know). */
export class NftError extends Error {
  readonly outcome: 'refused' | 'unknown';

  constructor(outcome: NftError['outcome'], message: string) {
    super(`nft: ${message}`);
    this.name = 'NftError';
    this.outcome = outcome;
  }
}

/** Longer transactions go to a child that ends, so that the memory they need goes with it. */
const interactiveLimit = 16 * 1024;
const timeoutMs = 60_000;
/** nft -i reads its input byte by byte; what is longer it includes, and reads at once. */
const inlineLimit = 512;
const included = '/proc/self/fd/3';
/** With a blank before it: nft 1.1.3 doesn't take `10:0;`. */
const separator = ' ; ';
/** nft -i remembers every line that it was told, some 200 bytes each: after so many a new one takes over. */
const transactionsPerProcess = 5_000;

type Waiting = { sentinel: string; lines: string[]; resolve: () => void; reject: (error: NftError) => void };

/** `command`: what stands before `nft` to reach its namespaces, for example `['nsenter', '-t', '1', '-n', '--']`. */
export function openNftCommands(command: readonly string[] = []): NftCommands {
  const nft = paths.nftLink.value;
  const argv = (...args: string[]) => [...command, nft, ...args];
  let child: LineProcess | undefined;
  let waiting: Waiting | undefined;
  let counter = 0;
  let linked: Promise<void> | undefined;
  /** What nft is to include. */
  let file: MemoryFile | undefined;
  const text = () => (file ??= openMemoryFile('nft'));
  /** Whether nft finds it: not where its /proc is another one. */
  let includes = true;

  const link = () => {
    linked ??= makeLink(command, nft);
    linked.catch(() => {
      linked = undefined;
    });
    return linked;
  };

  function open(): LineProcess {
    const opened = openLineProcess(argv('-i'), {
      third: text().fd,
      onStderr: (line) => {
        if (waiting === undefined || child !== opened) return;
        if (line === waiting.sentinel) settle();
        else if (!/^[\s^~]*$/.test(line)) waiting.lines.push(line);
      },
      onExit: ({ code, signal }) => {
        if (child !== opened) return;
        child = undefined;
        const ended = waiting;
        waiting = undefined;
        ended?.reject(
          new NftError('unknown', `ended (${signal ?? `exit code ${code}`}) ${ended.lines.join('; ')}`),
        );
      },
    });
    if (opened.pid !== undefined) takeAlong(opened.pid);
    return opened;
  }

  /** nft -i buffers stdout and says nothing on success, so the end of a transaction is an error that is meant to happen: no word of its language. */
  function settle(): void {
    const done = waiting!;
    waiting = undefined;
    // The sentinel's own message stands right before its echo.
    const errors = done.lines.slice(0, -1).filter((line) => /\bError: /.test(line));
    if (errors.length === 0) done.resolve();
    else done.reject(new NftError('refused', errors.join('; ')));
  }

  async function commitShort(statements: string): Promise<void> {
    if (statements.length <= inlineLimit || !includes) return commitLine(statements);
    text().replace(`${statements}\n`);
    try {
      await commitLine(`include "${included}"`);
    } catch (error) {
      if (!(error as Error).message.includes(`File not found: ${included}`)) throw error;
      includes = false;
      await commitLine(statements);
    }
  }

  async function commitLine(line: string): Promise<void> {
    if (counter > 0 && counter % transactionsPerProcess === 0) {
      const worn = child;
      child = undefined;
      void worn?.close();
    }
    child ??= open();
    const current = child;
    const sentinel = `${nftSentinel}-${++counter}`;
    const timer = setTimeout(() => current.kill(), timeoutMs);
    try {
      await new Promise<void>((resolve, reject) => {
        waiting = { sentinel, lines: [], resolve, reject };
        current.write(`${line}\n${sentinel}\n`).catch((error: Error) => {
          if (waiting?.sentinel !== sentinel) return;
          waiting = undefined;
          reject(new NftError('unknown', error.message));
        });
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async function list(what: readonly string[], line: (text: string) => void): Promise<boolean> {
    await link();
    const errors: string[] = [];
    const code = await new Promise<number | undefined>((resolve) => {
      openLineProcess(argv(...what), {
        onStdout: line,
        onStderr: (text) => errors.push(text),
        onExit: (finished) => resolve(finished.code),
      });
    });
    if (code === 0) return true;
    if (errors.some((text) => text.includes('No such file or directory'))) return false;
    throw new NftError('refused', errors.join('; ') || `exit code ${code}`);
  }

  return {
    get pid() {
      return child?.pid;
    },
    list,
    async commit(statements) {
      if (statements.length === 0) return;
      await link();
      const length = statements.reduce((sum, each) => sum + each.length + separator.length, 0);
      if (length <= interactiveLimit) return commitShort(statements.join(separator));
      const finished = await run(argv('-f', '-'), { input: `${statements.join('\n')}\n`, timeoutMs });
      if (finished.code === 0) return;
      // nft itself ends with 1; killed, it may have been before or after its commit.
      const outcome = finished.code === 1 ? 'refused' : 'unknown';
      throw new NftError(outcome, finished.stderr.slice(0, 2_000).trim());
    },
    async close() {
      const current = child;
      child = undefined;
      await current?.close();
      file?.close();
      file = undefined;
    },
  };
}

const nftSentinel = 'netloom-sentinel';

async function makeLink(command: readonly string[], link: string): Promise<void> {
  const script = `mkdir -p "\${1%/*}" && ln -sfn "$(command -v nft)" "$1"`;
  const finished = await run([...command, 'sh', '-c', script, 'sh', link], { timeoutMs });
  if (finished.code !== 0) throw new NftError('refused', `cannot make ${link}: ${finished.stderr.trim()}`);
}
