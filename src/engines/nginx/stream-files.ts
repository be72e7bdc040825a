/** A directory of small files that nginx reads while we write: each is replaced by renaming, so it is found old or new, never between. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Contents by path below the directory. */
export type Tree = ReadonlyMap<string, string>;

export type FileTree = {
  /** As it was found or written last. */
  readonly held: Tree;
  /** Writes what differs; false with the reason when it can't. */
  put(path: string, content: string): string | undefined;
  remove(path: string): void;
};

/** Reads what is there, at most two folders deep; what a writer that died left half done goes. */
export function openFileTree(directory: string): FileTree {
  const held = new Map<string, string>();
  const made = new Set<string>();
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  read(directory, '', held);

  return {
    held,
    put: (path, content) => {
      if (held.get(path) === content) return undefined;
      const folder = path.slice(0, path.lastIndexOf('/'));
      // No name of ours begins with a dot, and no two of one folder are written at a time.
      const temporary = join(directory, folder, '.new');
      try {
        if (!made.has(folder)) mkdirSync(join(directory, folder), { recursive: true, mode: 0o700 });
        made.add(folder);
        writeFileSync(temporary, content, { mode: 0o600 });
        renameSync(temporary, join(directory, path));
      } catch (error) {
        rmSync(temporary, { force: true });
        return error instanceof Error ? error.message : String(error);
      }
      held.set(path, content);
      return undefined;
    },
    remove: (path) => {
      rmSync(join(directory, path), { force: true });
      held.delete(path);
    },
  };
}

function read(directory: string, below: string, held: Map<string, string>): void {
  for (const entry of readdirSync(join(directory, below), { withFileTypes: true })) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) read(directory, path, held);
    else if (entry.name.startsWith('.')) rmSync(join(directory, path));
    else held.set(path, readFileSync(join(directory, path), 'utf8'));
  }
}
