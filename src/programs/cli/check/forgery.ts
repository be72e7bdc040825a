/** Sends one packet where it is allowed or not, and says whether it arrived. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Lab } from '#lab/client.ts';

/** A machine of the lab, or a network namespace by name on it. */
export type Spot = { readonly where: string; readonly netns: string | undefined };

export type Forgery = {
  readonly title: string;
  /** True only for the honest packet. */
  readonly mayArrive: boolean;
  readonly from: Spot;
  readonly prepare: readonly (readonly string[])[];
  readonly undo: readonly (readonly string[])[];
  readonly send: readonly string[];
  /** Where it would arrive, as a tcpdump filter. */
  readonly watch: Spot & { readonly device: string; readonly filter: string };
};

/** After the sender ended: a packet on one machine needs far less. */
const waitMs = 300;

/** Throws when it can't be tried at all. */
export async function arrives(lab: Lab, forgery: Forgery): Promise<boolean> {
  const { watch, from } = forgery;
  const dump = ['tcpdump', '-n', '-l', '-Q', 'in', '-i', watch.device, '-c', '1', watch.filter];
  const watcher = await lab.spawn(watch.where, at(watch, dump));
  try {
    await listening(watcher, forgery.title);
    let seen = false;
    const captured = new Promise<void>((resolve) =>
      watcher.stdout.once('data', () => {
        seen = true;
        resolve();
      }),
    );
    for (const argv of forgery.prepare) {
      const { code, stderr } = await lab.exec(from.where, at(from, argv));
      if (code !== 0) throw new Error(`${forgery.title}: ${argv.join(' ')}: ${stderr.trim()}`);
    }
    await Promise.race([captured, lab.exec(from.where, at(from, forgery.send), { timeoutMs: 5000 })]);
    await Promise.race([captured, new Promise((resolve) => setTimeout(resolve, waitMs))]);
    return seen;
  } finally {
    watcher.kill('SIGKILL');
    for (const argv of forgery.undo) await lab.exec(from.where, at(from, argv));
  }
}

function at({ netns }: Spot, argv: readonly string[]): readonly string[] {
  return netns === undefined ? argv : ['ip', 'netns', 'exec', netns, ...argv];
}

/** tcpdump says on standard error when it began to see packets. */
function listening(watcher: ChildProcessWithoutNullStreams, title: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    watcher.stderr.on('data', (part: Buffer) => {
      text += part.toString('utf8');
      if (text.includes('listening on')) resolve();
    });
    watcher.once('exit', () => reject(new Error(`${title}: tcpdump ended: ${text.trim()}`)));
  });
}
