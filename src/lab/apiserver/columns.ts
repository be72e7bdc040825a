/** Columns of the built-in kinds, as kubectl users know them. */
import type { PrinterColumn } from './types.ts';

/** Columns after Name, by table; undefined: Name and Age only. */
export function builtinColumns(_table: string): readonly PrinterColumn[] | undefined {
  return undefined;
}
