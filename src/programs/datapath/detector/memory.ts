/**
 * What one process of the datapath leaves to the next: who is absent, so that a restart sends nothing to the dead again, and whether the
 * others know of it. Gone with the node's own end, as it must be.
 */
import { readFileSync } from 'node:fs';
import type { Liveness } from '#intent/liveness.ts';
import { writeFileAtomic } from '#system/files.ts';
import { type Memory, noMemory } from './watch.ts';

export function readMemory(file: string): Memory {
  try {
    const { backBy, dead, silent } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    return {
      sure: typeof backBy === 'number' && Date.now() < backBy,
      dead: names(dead),
      silent: names(silent),
    };
  } catch {
    return noMemory;
  }
}

/** `backBy`: until when (Unix milliseconds) a planned restart is over. A later write makes it void. */
export function writeMemory(file: string, { dead, silent }: Liveness, backBy?: number): void {
  writeFileAtomic(file, `${JSON.stringify({ backBy, dead: [...dead], silent: [...silent] })}\n`);
}

function names(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
}
