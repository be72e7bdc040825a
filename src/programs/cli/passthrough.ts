/** Runs another program in our place: its terminal, its signals, its exit code. */
import { spawn } from 'node:child_process';

export function passThrough(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [file = '', ...args] = argv;
  // The terminal sends Ctrl-C to both; the program decides what it means.
  const ignore = () => {};
  process.on('SIGINT', ignore);
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'inherit', env });
    const forward = () => child.kill('SIGTERM');
    process.once('SIGTERM', forward);
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      process.off('SIGINT', ignore);
      process.off('SIGTERM', forward);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143));
    });
  });
}
