/** Entry of the `netloom` command: parses, loads the one command asked for, runs it, gives its exit code. */
import { exitCodes, UsageError } from './command.ts';
import { commands } from './commands.ts';
import { helpText } from './help.ts';
import { parseCommandLine } from './parse.ts';

async function main(words: readonly string[]): Promise<number> {
  const parsed = parseCommandLine(commands, words);
  if (parsed.kind === 'help') {
    process.stdout.write(`${await helpText(commands, parsed.words)}\n`);
    return exitCodes.ok;
  }
  if (parsed.kind === 'version') {
    const { version } = await import('../version.ts');
    process.stdout.write(`netloom ${version}\n`);
    return exitCodes.ok;
  }
  const { command, values, operands } = parsed;
  if (command.root === true && process.getuid?.() !== 0) {
    throw new UsageError(
      `netloom ${command.name.join(' ')} needs root: it makes namespaces and mounts; run it with sudo`,
    );
  }
  const { run } = await command.load();
  return run({
    values,
    operands,
    out: (line) => void process.stdout.write(`${line}\n`),
    progress: (line) => void process.stderr.write(`${line}\n`),
  });
}

/** A reader that stops reading (`| head`) is no error of ours. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCodes.ok);
  throw error;
});

let code: number;
try {
  code = await main(process.argv.slice(2));
} catch (error) {
  code = error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
  const trace = process.env.NETLOOM_DEBUG !== undefined && error instanceof Error ? error.stack : undefined;
  process.stderr.write(`netloom: ${trace ?? (error instanceof Error ? error.message : String(error))}\n`);
}
// An idle connection must not keep the command; what was written is flushed first.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
